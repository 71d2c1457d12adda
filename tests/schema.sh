# shellcheck shell=bash
# Sourced by tests/run: the schema of today must not break the clients of yesterday.

# Prints the commit whose schema is what clients may have been built from:
# 1. where this branch left origin/main (or main), if the schema has changed since then;
# 2. else (main itself is being tested, or the branch does not touch the schema) the commit before
#    the last change of proto/, so that the comparison is always between two different schemas.
# Prints nothing when there is no earlier schema.
schema_base() {
  local ref base last
  for ref in origin/main main; do
    base=$(git merge-base HEAD "$ref" 2>/dev/null) || continue
    if schema_exists_at "$base" && ! git diff --quiet "$base" -- proto; then
      echo "$base"
      return
    fi
  done
  last=$(git log -1 --format=%H -- proto)
  if [ -n "$last" ] && schema_exists_at "$last~1"; then git rev-parse "$last~1"; fi
}

schema_exists_at() {
  git ls-tree -r --name-only "$1" -- proto 2>/dev/null | grep -q '\.proto$'
}

schema_keeps_its_promises() {
  local base old status
  if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
    echo "this clone is shallow, so there is no older schema to compare with: git fetch --unshallow"
    return 1
  fi
  base=$(schema_base)
  if [ -z "$base" ]; then
    echo "nothing to compare with: no commit holds an earlier schema"
    return 0
  fi
  echo "compared with $(git log -1 --format='%h %s' "$base")"
  old=$(mktemp -d)
  git archive "$base" proto | tar -x -C "$old"
  # The rules of today for both, so that a rule can be mended.
  cp buf.yaml "$old/"
  "$BUF" breaking --against "$old"
  status=$?
  rm -rf "$old"
  if [ $status -ne 0 ]; then
    echo "A break on purpose is written into buf.yaml, under breaking.ignore_only, with its reason."
  fi
  return $status
}
