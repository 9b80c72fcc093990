import de.bwaldvogel.mongo.MongoServer;
import java.util.concurrent.CountDownLatch;
import org.h2.mvstore.MVStore;

/**
 * LocalDatabase FILE PORT: a database for local runs and tests that speaks MongoDB's protocol on 127.0.0.1.
 *
 * <p>It binds only after FILE has been opened and recovered, so a connection that succeeds means that it is ready.
 * SIGTERM closes the store; after anything harsher the next start recovers the last commit.
 */
public final class LocalDatabase {
    private LocalDatabase() {}

    public static void main(String[] args) throws InterruptedException {
        if (args.length != 2) {
            System.err.println("usage: LocalDatabase FILE PORT");
            System.exit(2);
        }
        MongoServer server = new MongoServer(new DurableBackend(open(args[0])));
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.shutdownNow();
            stopped.countDown();
        }));
        server.bind("127.0.0.1", Integer.parseInt(args[1]));
        System.out.println("listening on 127.0.0.1:" + args[1] + ", data in " + args[0]);
        stopped.await();
    }

    /** No timer and no memory limit may commit behind the backend's back: see DurableBackend. */
    private static MVStore open(String file) {
        return new MVStore.Builder().fileName(file).autoCommitDisabled().autoCommitBufferSize(0).open();
    }
}
