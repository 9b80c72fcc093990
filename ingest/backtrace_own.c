/* backtrace_own.c - which frames are the application's own code.
 *
 * Told by what is not: package folders, standard libraries and runtimes have names that applications do not use. A frame of which nothing is known is nobody's. */
#include "ingest/backtrace_line.h"

#include <stdlib.h>

enum { LIST_MAX = 40 };

/* Parts of paths of packages, whatever the language. */
static const char *const foreign_paths[LIST_MAX] = {
	"/gems/", "/rubygems/", "/lib/ruby/", "<internal:", "/vendor/bundle/", "/bundler/", "(eval", "site-packages/", "dist-packages/", "/lib/python",
	"<frozen ", "<string>", "\\lib\\", "node_modules/", "node:", "<anonymous>", "[native code]", "webpack/", "webpack-internal:///(webpack)", "internal/process/",
	"/pkg/mod/", "/go/src/", "/usr/local/go/", "/vendor/", "/rustc/", "/.cargo/registry/", "/libsanitizer/", "[internal function]", "/sysdeps/", "chrome-extension://",
	"moz-extension://", "/usr/share/", "/usr/include/", "/csu/", "/glibc", "\\python", "/linux-vdso",
};

/* Beginnings of paths. */
static const char *const foreign_roots[LIST_MAX] = {"/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/usr/libexec/", "./nptl/", "./elf/", "./stdlib/", "./signal/", "./assert/", "native", "linux-vdso", "index ", "../sysdeps", "../csu", "/build/"};

/* Beginnings of names, of the languages whose files tell nothing. */
static const char *const foreign_java[LIST_MAX] = {
	"java.", "javax.", "jdk.", "jakarta.", "sun.", "com.sun.", "kotlin.", "kotlinx.", "scala.", "groovy.", "clojure.", "org.springframework.", "org.apache.",
	"org.hibernate.", "org.eclipse.", "org.jboss.", "org.junit.", "org.postgresql.", "org.codehaus.", "io.netty.", "io.undertow.", "io.micrometer.", "io.opentelemetry.",
	"io.grpc.", "io.quarkus.", "io.vertx.", "reactor.", "rx.", "com.fasterxml.", "com.google.common.", "com.mysql.", "com.mongodb.", "com.zaxxer.", "okhttp3.",
	"retrofit2.", "android.", "androidx.", "dalvik.", "com.android.", "net.bytebuddy.",
};
static const char *const foreign_net[LIST_MAX] = {
	"System.", "Microsoft.", "Interop.", "Internal.", "lambda_method", "Newtonsoft.", "Npgsql.", "MySqlConnector.", "MySql.Data.", "MongoDB.", "StackExchange.Redis.", "Dapper.",
	"Grpc.", "Google.", "Azure.", "Amazon.", "Confluent.Kafka.", "RabbitMQ.", "MassTransit.", "MediatR.", "Polly.", "Autofac.", "Castle.", "AutoMapper.", "FluentValidation.",
	"Hangfire.", "Quartz.", "Serilog.", "NLog.", "OpenTelemetry.", "NUnit.", "Xunit.", "Swashbuckle.",
};
static const char *const foreign_go[LIST_MAX] = {"runtime.", "runtime/", "net/", "net.", "reflect.", "sync.", "sync/", "os.", "io.", "testing.", "encoding/", "database/", "context.", "time.", "syscall.", "internal/", "bufio.", "fmt.", "strconv.", "strings.", "bytes.", "errors.", "html/", "text/", "compress/", "crypto/", "sort.", "slices.", "maps.", "regexp.", "log.", "panic"};
static const char *const foreign_rust[LIST_MAX] = {"std::", "core::", "alloc::", "<std::", "<core::", "<alloc::", "rust_begin_unwind", "rust_panic", "__rust_", "_start", "__libc_", "_rust_"};
static const char *const foreign_c[LIST_MAX] = {"__", "_start", "_dl_", "abort", "raise", "gsignal", "pthread_kill", "_IO_", "clone", "start_thread", "std::", "_Unwind_", "<signal handler", "(anonymous namespace)::std"};

static bool has(struct str s, const char *part)
{
	return s.len && memmem(s.p, s.len, part, strlen(part)) != NULL;
}

static bool has_any(struct str s, const char *const *list)
{
	for (size_t i = 0; i < LIST_MAX && list[i]; i++)
		if (has(s, list[i]))
			return true;
	return false;
}

static bool begins_any(struct str s, const char *const *list)
{
	for (size_t i = 0; i < LIST_MAX && list[i]; i++)
		if (s.len >= strlen(list[i]) && memcmp(s.p, list[i], strlen(list[i])) == 0)
			return true;
	return false;
}

/* A module's version in the path, where files are named by module (-trimpath): example.com/lib@v1.2.3/lib.go. And the standard library has no folder. */
static bool is_foreign_go(const struct backtrace_frame *f)
{
	return begins_any(f->function, foreign_go) || has(f->file, "@v");
}

bool backtrace_is_own(enum backtrace_form form, const struct backtrace_frame *f)
{
	if (has_any(f->file, foreign_paths) || begins_any(f->file, foreign_roots))
		return false;
	switch (form) {
	case BACKTRACE_JAVA:
		return f->function.len && !begins_any(f->function, foreign_java) && !has(f->function, "$Proxy") && !has(f->function, "$$FastClassBy") &&
		       !has(f->function, "$$EnhancerBy") && !has(f->function, "GeneratedMethodAccessor");
	case BACKTRACE_NET:
		return !begins_any(f->function, foreign_net);
	case BACKTRACE_GO:
		return !is_foreign_go(f);
	case BACKTRACE_RUST:
		return f->function.len && !begins_any(f->function, foreign_rust);
	case BACKTRACE_C:
	case BACKTRACE_GLIBC:
		return f->function.len && !begins_any(f->function, foreign_c);
	default:
		return f->file.len != 0;
	}
}
