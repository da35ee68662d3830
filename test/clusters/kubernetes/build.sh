#!/usr/bin/env bash
# build.sh CACHE: builds the servers of Kubernetes v1.20.2 from Debian's source package, once, into CACHE/kubernetes-VERSION-RECIPE/bin
# and prints that folder. Takes about five minutes of two cores and 2.5 GB while it goes on; 350 MB stay.
set -euo pipefail
version=1.20.5+really1.20.2 # Debian's: the tree of upstream's v1.20.2 with its vendor/ folder
recipe=1                    # of what is below: another number is another build
# The programs that it takes, by Debian package.
needs=(/usr/lib/go-1.19/bin/go:golang-1.19-go /usr/share/gocode/src/github.com/modern-go/reflect2:golang-github-modern-go-reflect2-dev
  /usr/bin/make:make /usr/bin/rsync:rsync)

cache=${1:?the folder of the cache}
target=$cache/kubernetes-$version-$recipe
mkdir -p "$cache"
# Two test runs that find nothing build it once.
exec 9>"$cache/kubernetes.lock"
flock 9
if [ -e "$target/bin/kubelet" ]; then
  echo "$target/bin"
  exit
fi

missing=()
for need in "${needs[@]}"; do [ -e "${need%%:*}" ] || missing+=("${need##*:}"); done
if [ ${#missing[@]} -gt 0 ]; then
  echo "building Kubernetes takes ${missing[*]}; apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"

# The machine's own sources, asked for source packages as well; what apt knows of them stays here.
mkdir -p apt/parts apt/lists/partial
sources() { sed -E -e 's/^Types:.*/Types: deb-src/' -e 's/^deb /deb-src /' "$1" >"apt/parts/$(basename "$1")"; }
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
  [ ! -e "$file" ] || sources "$file"
done
apt() {
  apt-get -q -o Acquire::Retries=3 -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/apt/parts" \
    -o Dir::State::Lists="$work/apt/lists" -o APT::Sandbox::User=root "$@" >&2
}
apt update
apt source --download-only "kubernetes=$version-1" || apt source --download-only kubernetes
tar xzf kubernetes_"$version".orig.tar.gz
cd kubernetes-1.20.2

# Under Go 1.18 and later the vendored reflect2 1.0.1 ends the server by SIGSEGV; Debian's 1.0.2 does not.
rm vendor/github.com/modern-go/reflect2/*.{go,s}
cp /usr/share/gocode/src/github.com/modern-go/reflect2/* vendor/github.com/modern-go/reflect2/
mkdir -p .go/src/k8s.io
ln -sfn ../../.. .go/src/k8s.io/kubernetes
cat >"$work/version" <<'END'
KUBE_GIT_COMMIT='debian'
KUBE_GIT_TREE_STATE='archive'
KUBE_GIT_VERSION='v1.20.2'
KUBE_GIT_MAJOR='1'
KUBE_GIT_MINOR='20'
END
servers=(kube-apiserver kube-controller-manager kube-scheduler kubelet)
GOPATH=$PWD/.go GOCACHE=$work/gocache GOPROXY=off PATH=/usr/lib/go-1.19/bin:$PATH CGO_ENABLED=0 KUBE_GIT_VERSION_FILE=$work/version \
  nice -n 10 make -s WHAT="${servers[*]/#/cmd/}" >&2

mkdir -p "$work/done/bin"
for server in "${servers[@]}"; do cp "_output/bin/$server" "$work/done/bin/" || cp "_output/local/go/bin/$server" "$work/done/bin/"; done
rm -rf "$target"
mv "$work/done" "$target"
echo "$target/bin"
