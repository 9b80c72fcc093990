import de.bwaldvogel.mongo.MongoServer;
import java.util.concurrent.CountDownLatch;
import org.h2.mvstore.MVStore;

/**
 * ContainerDatabase FILE PORT: LocalDatabase for a container of its own, where others come from outside: it binds to all of the container's addresses.
 *
 * <p>The backend is that of deploy/local/database.
 */
public final class ContainerDatabase {
    private ContainerDatabase() {}

    public static void main(String[] args) throws InterruptedException {
        MVStore store = new MVStore.Builder().fileName(args[0]).autoCommitDisabled().autoCommitBufferSize(0).open();
        MongoServer server = new MongoServer(new DurableBackend(store));
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.shutdownNow();
            stopped.countDown();
        }));
        server.bind("0.0.0.0", Integer.parseInt(args[1]));
        System.out.println("listening on port " + args[1] + ", data in " + args[0]);
        stopped.await();
    }
}
