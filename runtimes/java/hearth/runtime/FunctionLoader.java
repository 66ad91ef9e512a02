package hearth.runtime;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Finds the function's classes: its own, the libraries in its package, and those of its layers. */
final class FunctionLoader extends URLClassLoader {
    private FunctionLoader(URL[] places) {
        super(places, ClassLoader.getSystemClassLoader());
    }

    static FunctionLoader ofEnvironment() throws MalformedURLException {
        String task = System.getenv("LAMBDA_TASK_ROOT");
        String layers = System.getenv().getOrDefault("HEARTH_LAYERS_ROOT", "/opt");
        List<URL> places = new ArrayList<>();
        places.add(new File(task + "/").toURI().toURL());
        for (String directory : new String[] {task + "/lib", layers + "/java/lib"}) {
            String[] names = new File(directory).list((place, name) -> name.endsWith(".jar"));
            if (names == null) {
                continue;
            }
            // The order of a directory is nobody's; the order of classes is to be the same each time.
            Arrays.sort(names);
            for (String name : names) {
                places.add(new File(directory, name).toURI().toURL());
            }
        }
        return new FunctionLoader(places.toArray(new URL[0]));
    }

    /** A class of the function's, or null. */
    Class<?> find(String name) {
        try {
            return loadClass(name);
        } catch (ClassNotFoundException | NoClassDefFoundError absent) {
            return null;
        }
    }
}
