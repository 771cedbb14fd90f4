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
export GIT_CONFIG_NOSYSTEM=1 GIT_DEFAULT_HASH=sha1 HOME=/dev/null XDG_CONFIG_HOME=/dev/null LC_ALL=C
"""

KNOWN = f"""\
{_CLEAN}
# $1: code.git. Prints the trees that it has, the latest last.
[ -e "$1/HEAD" ] || exit 0
git --git-dir "$1" for-each-ref --sort=committerdate --format='%(refname)' refs/snapshots |
    sed 's|^refs/snapshots/||'
"""

RECEIVE = f"""\
{_CLEAN}
# $1: code.git  $2: the tree  $3: code/<tree>.tar. Standard input: CodeStore.pack_for().
umask 077
if [ ! -d "$1/objects" ]; then
    mkdir -p "$(dirname "$1")"
    made=$(mktemp -d "$1.XXXXXX")
    git init --quiet --bare --template= "$made"
    # In one step. Another one may be doing the same, and then be faster.
    rmdir "$1" 2>/dev/null || :
    mv "$made" "$1" 2>/dev/null || :
    rm -rf "$made" "${{1:?}}/${{made##*/}}"
fi
git --git-dir "$1" index-pack --stdin --fix-thin >/dev/null
export GIT_AUTHOR_NAME=NeMo-Run GIT_AUTHOR_EMAIL=nemo-run@localhost
export GIT_COMMITTER_NAME=NeMo-Run GIT_COMMITTER_EMAIL=nemo-run@localhost
commit=$(git --git-dir "$1" commit-tree "$2" </dev/null)
git --git-dir "$1" -c core.filesRefLockTimeout=10000 update-ref "refs/snapshots/$2" "$commit"
mkdir -p "$1/info" "$(dirname "$3")"
if [ ! -e "$1/info/attributes" ]; then
    new=$(mktemp "$1/info/attributes.XXXXXX")
    echo '{_ATTRIBUTES}' >"$new"
    mv -f "$new" "$1/info/attributes"
fi
new=$(mktemp "$3.XXXXXX")
git --git-dir "$1" -c tar.umask=0022 archive --format=tar "$2" >"$new"
mv -f "$new" "$3"
"""
