#!/bin/sh
# Lines of C and assembly by part of the tree, as a table.
set -eu
count() {
	git ls-files -- "$@" | grep -E '\.(c|h|S)$' | xargs cat | wc -l
}
printf '| part | lines |\n| --- | ---: |\n'
printf '| walker, schemes, memory manager (`mm/`) | %s |\n' "$(count mm)"
printf '| core, library, shell, workloads (`kernel/`) | %s |\n' "$(count kernel)"
printf '| contract (`arch/include/`) | %s |\n' "$(count arch/include)"
for isa in x86_64 arm64; do
	printf '| %s (`arch/%s/`, `boot/%s/`) | %s |\n' "$isa" "$isa" "$isa" \
		"$(count "arch/$isa" "boot/$isa")"
done
printf '| firmware tables (`boot/*.c`) | %s |\n' "$(count ':(glob)boot/*.c' boot/include)"
printf '| modelled machine (`arch/fake/`) | %s |\n' "$(count arch/fake)"
printf '| C of host tools (`tools/`) | %s |\n' "$(count tools)"
printf '| tests (`tests/`) | %s |\n' "$(count tests)"
