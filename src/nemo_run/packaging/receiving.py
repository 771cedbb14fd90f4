"""What the other side runs to have a snapshot: shell scripts that need git and a POSIX shell.

A side without git gets :meth:`CodeStore.tar_stream` as the file ``code/<tree>.tar`` instead.
"""

from __future__ import annotations

# What git itself would change in an archive is switched off, gitattributes(5): the info file of a
# repository goes before the .gitattributes of a tree.
_ATTRIBUTES = (
    "* -export-ignore -export-subst -text -eol -crlf -ident -filter -working-tree-encoding"
)

_CLEAN = """\
set -eu
for name in $(env | sed -n 's/^\\(GIT_[A-Z_0-9]*\\)=.*/\\1/p'); do unset "$name"; done
export GIT_CONFIG_NOSYSTEM=1 HOME=/dev/null XDG_CONFIG_HOME=/dev/null LC_ALL=C
"""

KNOWN = f"""\
{_CLEAN}
# $1: code.git. Prints the trees that it has, the latest last.
[ -e "$1/HEAD" ] || exit 0
git --git-dir "$1" for-each-ref --format='%(refname)' refs/snapshots |
    sed 's|^refs/snapshots/||'
"""

RECEIVE = f"""\
{_CLEAN}
# $1: code.git  $2: the tree  $3: code/<tree>.tar. Standard input: CodeStore.pack_for().
umask 077
if [ ! -e "$1/HEAD" ]; then
    mkdir -p "$1"
    make() {{ git init --quiet --bare --template= "$1"; }}
    make "$1" || {{ sleep 1; make "$1"; }} # another one may have been doing the same
fi
git --git-dir "$1" index-pack --stdin --fix-thin >/dev/null
git --git-dir "$1" update-ref "refs/snapshots/$2" "$2"
mkdir -p "$1/info" "$(dirname "$3")"
[ -e "$1/info/attributes" ] || echo '{_ATTRIBUTES}' >"$1/info/attributes"
git --git-dir "$1" -c tar.umask=0022 archive --format=tar --output="$3.$$" "$2"
mv -f "$3.$$" "$3"
"""
