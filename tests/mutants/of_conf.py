"""The mutants of the settings that stand in files of their own."""
from mutant import unit


def of(name, file, old, new):
    """A mutant that test_conf_file must find."""
    return unit(name, f"common/{file}.c", old, new, "common", "test_conf_file")


MUTANTS = [
    of("text-file-keeps-its-line-end", "conf_file", "while (text->len > 0 && (text->p[text->len - 1] == '\\n'", "while (text->len > 0 && (text->p[text->len - 1] == '\\f'"),
    of("text-file-of-one-line-end", "conf_file", "		text->len--;\n	if (text->len == 0)", "	{\n		text->len--;\n		break;\n	}\n	if (text->len == 0)"),
    of("text-file-may-be-empty", "conf_file", "	if (text->len == 0)\n		return err_set", "	if (text->len == SIZE_MAX)\n		return err_set"),
    of("text-file-ends-at-its-nul", "conf_file", "	if (memchr(text->p, '\\0', text->len))", "	if (text->len == SIZE_MAX)"),
    of("text-and-its-file", "conf", "	if (is_env_twice(before, now))", "	if (is_env_twice(before, now) && !c)"),
    of("files-text-is-told", "conf", " || source.kind == CONF_SOURCE_ENV_FILE) && *text)", ") && *text)"),
    of("file-and-its-text", "conf", "	       (before.kind == CONF_SOURCE_ENV_FILE && now.kind == CONF_SOURCE_ENV);", "	       (before.kind == CONF_SOURCE_ENV_FILE && now.kind == CONF_SOURCE_DEFAULT);"),
    of("own-file-setting-is-read", "conf", "	if (!key) {\n		key = file_key_of(", "	if (!key || file_key_of(c, variable, len, room)) {\n		key = file_key_of("),
    of("text-file-source-unnamed", "conf", '		snprintf(out + strlen(out), SOURCE_SIZE - strlen(out), "%s", env_file_suffix);\n', ""),
    of("text-file-without-kafka", "conf", "	return key_of(c, name, len - suffix, room);", "	return row_key_of(c, room ? name : NULL, len - suffix);"),
]
