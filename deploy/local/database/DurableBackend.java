import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.h2.mvstore.MVStore;

/**
 * The H2 backend with the promise a sink relies on: what was acknowledged survives kill -9.
 *
 * <p>Stock, the backend answers first and lets a timer commit later. Here a writing command is applied, committed and
 * synced before its reply leaves. Invariants:
 *
 * <ul>
 *   <li>Nothing but {@link #makeDurable} commits (the store is opened without its own commit timer), and it never runs
 *       while a command is half applied. A document is stored before its index entries, so a commit in between would
 *       leave, after a crash, a document that nobody was told about and that refuses to be inserted again.
 *   <li>A reply leaves only when a commit that began after the command was applied has been synced.
 * </ul>
 *
 * <p>The lock is fair so that commands which queue up behind one sync are all applied before the next, which then
 * covers all of them.
 */
final class DurableBackend extends H2Backend {
    /** Commands that change nothing. Whatever is not named here counts as a write: slower at worst, never lost. */
    private static final Set<String> READS = Set.of(
            "aggregate", "buildinfo", "collstats", "connectionstatus", "count", "dbstats", "distinct", "endsessions",
            "find", "getcmdlineopts", "getlasterror", "getlog", "getmore", "getparameter", "hello", "hostinfo",
            "ismaster", "killcursors", "listcollections", "listdatabases", "listindexes", "ping", "replsetgetstatus",
            "serverstatus", "validate", "whatsmyuri");

    /** Reclaiming space rewrites pages; once in so many commits keeps the file from growing without bound. */
    private static final int COMMITS_BETWEEN_COMPACTIONS = 256;
    private static final int TARGET_FILL_PERCENT = 60;
    private static final int COMPACTION_BYTES = 4 << 20;

    private static final int MAX_BATCH = 100_000;

    private final MVStore store;
    private final ReentrantLock lock = new ReentrantLock(true);
    private long applied;
    private long durable;
    private long commits;

    DurableBackend(MVStore store) {
        super(store);
        this.store = store;
        store.setRetentionTime(0); // every commit is synced, so the space of older ones may be used again at once
        version(new ReportedVersion());
    }

    /** Both wire formats, OP_MSG and OP_QUERY, end up here. */
    @Override
    public Document handleCommand(Channel channel, String database, String command, Document query) {
        String name = command.toLowerCase(Locale.ROOT);
        if (name.equals("hello") || name.equals("ismaster")) {
            return hello(channel, database);
        }
        if (READS.contains(name) && !writesByPipeline(query)) {
            return super.handleCommand(channel, database, command, query);
        }
        Ticket ticket = apply(channel, database, command, query);
        makeDurable(ticket.number);
        if (ticket.failure != null) {
            throw ticket.failure;
        }
        return name.equals("insert") ? counted(ticket.reply) : ticket.reply;
    }

    /** The server under this class knows the older command only, and a batch limit MongoDB gave up long ago. */
    private Document hello(Channel channel, String database) {
        Document reply = super.handleCommand(channel, database, "isMaster", new Document("isMaster", 1));
        reply.put("isWritablePrimary", true);
        reply.put("readOnly", false);
        reply.put("maxWriteBatchSize", MAX_BATCH);
        return reply;
    }

    /** MongoDB's n counts what was inserted; the server under this class counts what was asked for. */
    private static Document counted(Document reply) {
        if (reply.get("writeErrors") instanceof List<?> errors && reply.get("n") instanceof Number n) {
            reply.put("n", n.intValue() - errors.size());
        }
        return reply;
    }

    /** An aggregation writes only by its last stage. */
    private static boolean writesByPipeline(Document query) {
        if (!(query.get("pipeline") instanceof List<?> stages) || stages.isEmpty()) {
            return false;
        }
        return stages.get(stages.size() - 1) instanceof Document last
                && (last.containsKey("$out") || last.containsKey("$merge"));
    }

    /** A command that fails may have changed something before it did: it gets its ticket all the same. */
    private Ticket apply(Channel channel, String database, String command, Document query) {
        lock.lock();
        try {
            applied++;
            return new Ticket(applied, super.handleCommand(channel, database, command, query), null);
        } catch (RuntimeException e) {
            return new Ticket(applied, null, e);
        } finally {
            lock.unlock();
        }
    }

    private void makeDurable(long number) {
        lock.lock();
        try {
            if (durable >= number) {
                return;
            }
            commit();
            store.sync();
            durable = applied;
            if (++commits % COMMITS_BETWEEN_COMPACTIONS == 0) {
                store.compact(TARGET_FILL_PERCENT, COMPACTION_BYTES);
            }
        } finally {
            lock.unlock();
        }
    }

    /** What a command left behind: number counts the commands applied so far, reply or failure is its answer. */
    private record Ticket(long number, Document reply, RuntimeException failure) {}

    /** Wire version 9 (MongoDB 4.4) is the oldest that current drivers accept. */
    private static final class ReportedVersion implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(4, 4, 0);
        }

        @Override
        public int getWireVersion() {
            return 9;
        }
    }
}
