#!/usr/bin/env bash
# Makes a .deb and a tarball that need no Swift: a stripped binary with Swift's runtime inside, docs and example jobs;
# then unpacks each and runs it without the toolchain. Results are in dist/.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh --package
export PATH="$PATH:/opt/swift/usr/bin"

scratch=.build/package
echo "building (release, static Swift runtime)"
log=$(mktemp)
work=$(mktemp -d)
trap 'rm -rf "$log" "$work"' EXIT
if ! swift build -c release --static-swift-stdlib --scratch-path "$scratch" --product stream-job > "$log" 2>&1 < /dev/null; then
    cat "$log" >&2
    exit 1
fi
strip -o "$work/stream-job" "$scratch/release/stream-job"

version=$("$work/stream-job" --version | sed -nE 's/^stream-job ([0-9][0-9A-Za-z.~+-]*).*/\1/p')
[ -n "$version" ] || { echo "package.sh: cannot read a version from stream-job --version" >&2; exit 1; }
architecture=$(dpkg --print-architecture)
name=stream-job_${version}_$architecture
root=$work/$name

install -D -m 755 "$work/stream-job" "$root/usr/bin/stream-job"
install -d "$root/usr/share/stream-job/jobs" "$root/usr/share/stream-job/data" "$root/usr/share/doc/stream-job/docs"
install -m 644 jobs/*.yaml "$root/usr/share/stream-job/jobs/"
install -m 644 Tests/EndToEndTests/Fixtures/node.prom.zst "$root/usr/share/stream-job/data/"
install -m 644 README.md CHANGELOG.md "$root/usr/share/doc/stream-job/"
install -m 644 LICENSE "$root/usr/share/doc/stream-job/copyright"
install -m 644 docs/*.md "$root/usr/share/doc/stream-job/docs/"

# The libraries it is linked with, as Debian names them, with the versions whose symbols it uses.
mkdir -p "$work/source/debian"
printf 'Source: stream-job\nPackage: stream-job\nArchitecture: any\n' > "$work/source/debian/control"
depends=$(cd "$work/source" && dpkg-shlibdeps -O "$root/usr/bin/stream-job" 2> "$log" | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { cat "$log" >&2; exit 1; }

rm -rf dist
mkdir dist
tar --owner=0 --group=0 --sort=name -C "$work" -czf "dist/$name.tar.gz" "$name"
mkdir "$root/DEBIAN"
cat > "$root/DEBIAN/control" << EOF
Package: stream-job
Version: $version
Architecture: $architecture
Maintainer: StreamEngine maintainers <maintainers@localhost>
Section: net
Priority: optional
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
Depends: $depends
Description: windows over Prometheus metrics and cluster events on Kafka
 Runs jobs that read metrics and events from Kafka topics or files, compute
 watermarked windows and write rows to the console, files and topics.
EOF
dpkg-deb --root-owner-group --build "$root" "dist/$name.deb" > /dev/null

# Check what was made, as somebody without Swift would use it.
dpkg-deb --extract "dist/$name.deb" "$work/deb"
mkdir "$work/tar"
tar -xzf "dist/$name.tar.gz" -C "$work/tar"
for place in "$work/deb" "$work/tar/$name"; do
    if ldd "$place/usr/bin/stream-job" | grep -E 'swift|Foundation|dispatch|not found'; then
        echo "package.sh: the binary needs more than Debian's libraries" >&2
        exit 1
    fi
    share=$place/usr/share/stream-job
    without_swift() { env -i PATH=/usr/bin:/bin HOME="$work" "$place/usr/bin/stream-job" "$@"; }
    without_swift validate "$share"/jobs/*.yaml > /dev/null
    without_swift replay "$share/jobs/node-cpu-saturation.yaml" --input metrics="$share/data/node.prom.zst" \
        --output "$work/out" --overwrite > /dev/null 2>&1
    grep -rq '"busy"' "$work/out"
done
for file in "dist/$name.deb" "dist/$name.tar.gz"; do
    size=$(stat -c %s "$file")
    echo "$file  $((size / 1024)) KiB"
    [ "$size" -le $((25 * 1024 * 1024)) ] || { echo "package.sh: larger than 25 MiB" >&2; exit 1; }
done
echo "depends: $depends"
echo "both were unpacked and run without the toolchain"
