package example;

import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

public class Orders {
    /** The parameters are said by a class above. */
    public abstract static class Base<T> implements RequestHandler<T, Receipt> {}

    public enum Size { SMALL, LARGE }

    public static class Item {
        private String name;
        private int count;

        public String getName() { return name; }
        public void setName(String name) { this.name = name; }
        public int getCount() { return count; }
        public void setCount(int count) { this.count = count; }
    }

    public static class Order {
        List<Item> items = new ArrayList<>();
        Map<String, Long> prices;
        Size size;
        boolean express;
        public double discount;
        public byte[] data;

        public void setItems(List<Item> items) { this.items = items; }
        public void setPrices(Map<String, Long> prices) { this.prices = prices; }
        public void setSize(Size size) { this.size = size; }
        public void setExpress(boolean express) { this.express = express; }
    }

    public static class Receipt {
        private final String first;
        private final long total;

        Receipt(String first, long total) {
            this.first = first;
            this.total = total;
        }

        public String getFirst() { return first; }
        public long getTotal() { return total; }
        public String getNothing() { return null; }
        public Size getSize() { return Size.LARGE; }
        public boolean isPaid() { return true; }
        public int[] getNumbers() { return new int[] {1, 2}; }
        public double getNaN() { return Double.NaN; }
    }
}
