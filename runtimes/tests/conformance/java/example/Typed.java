package example;

import com.amazonaws.services.lambda.runtime.Context;
import example.Orders.Item;
import example.Orders.Order;
import example.Orders.Receipt;

public class Typed extends Orders.Base<Order> {
    @Override
    public Receipt handleRequest(Order order, Context context) {
        Item item = order.items.get(0);
        long total = item.getCount() * order.prices.get(item.getName()) + (order.express ? 10 : 0);
        String first = item.getName() + order.size + order.discount + (order.data == null ? "" : new String(order.data));
        return new Receipt(first, total);
    }
}
