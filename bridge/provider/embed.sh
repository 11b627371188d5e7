#!/bin/sh
# Prints a C file that embeds the presets: embed.sh FILE.json... The table is in the order of the arguments.
set -eu

count=0
table=
printf '/* Made by bridge/provider/embed.sh. */\n#include "bridge/provider/provider.h"\n\n'
for file in "$@"; do
    name=$(basename "$file" .json)
    case $name in
    *[!a-z0-9-]*)
        echo "$file: a provider's name consists of small letters, digits and -" >&2
        exit 1
        ;;
    esac
    printf '__asm__(".section .rodata\\n"\n        "preset_%s: .incbin \\"%s\\"\\n"\n        ".byte 0\\n"\n' "$count" "$file"
    printf '        ".previous");\nextern const char preset_%s[];\n\n' "$count"
    table="$table    {\"$name\", preset_$count},
"
    count=$((count + 1))
done
printf 'const struct provider_preset provider_presets[] = {\n%s    {NULL, NULL},\n};\nconst size_t provider_preset_count = %s;\n' "$table" "$count"
