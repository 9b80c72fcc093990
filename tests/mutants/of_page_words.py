"""The mutants of what operators say on the status page: which times and words make an entry."""
from mutant import unit


def words(name, find, replace):
    """One in deploy/ctl/page_words.c that its unit test must notice."""
    return unit(name, "deploy/ctl/page_words.c", find, replace, "ctl", "test_page_words")


MUTANTS = [
    words("maintenance-without-end", "becomes && !e->has_recovery_at &&", "becomes && !before && !e->has_recovery_at &&"),
    words("end-is-forgotten", "&& !(before && before->recovery_at))", ")"),
    words("over-before-it-begins", "end_ms(before, e) <= begin_ms(before, now_ms, e))", "end_ms(before, e) < begin_ms(before, now_ms, e))"),
    words("words-need-an-end", "maintenance && (e->has_opened_at || e->has_recovery_at) &&", "maintenance &&"),
    words("trouble-as-planned", "(maintenance ? moment_parse(from", "(true ? moment_parse(from"),
    words("length-from-now", "begin_ms(before, now_ms, e) + args_int", "now_ms + args_int"),
    words("over-already", "e->recovery_at <= now_ms)", "e->recovery_at < 0)"),
    words("last-line-ends", "while (rc == 0 && w->text.len && strchr", "while (rc < 0 && w->text.len && strchr"),
    words("resolved-by-phase", "v == STATUS_PHASE_RESOLVED ? NULL :", "v > STATUS_PHASE_RESOLVED ? NULL :"),
    words("names-have-no-slash", "*p == '/' ? '-' : *p", "*p"),
]
