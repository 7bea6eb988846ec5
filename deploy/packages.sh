# The Debian 12 packages basketd needs, kept here once. Sourced by run.sh, check.sh and the
# Dockerfile.

# to build and run the program, and to try it
run_packages="make gcc libc6-dev pkgconf curl
    libmicrohttpd-dev libuv1-dev libjansson-dev libsqlite3-dev libsodium-dev libinih-dev libxxhash-dev
    zlib1g-dev libzstd-dev libopenblas-dev"

# on top, to test it
check_packages="libcmocka-dev clang-format-14 clang-tidy-14 cppcheck universal-ctags
    python3 zstd python3-pytest python3-requests python3-jsonschema python3-yaml"

# at run time alone, for a host or image that gets a finished binary
runtime_packages="libmicrohttpd12 libuv1 libjansson4 libsqlite3-0 libsodium23 libinih1 libxxhash0
    zlib1g libzstd1 libopenblas0"

# need_packages NAME…: installs those that are missing; when none is, asks nobody and returns at once.
need_packages()
{
    if ! command -v dpkg-query >/dev/null; then
        echo "This is not Debian; if the build fails, install the counterparts of: $*" >&2
        return 0
    fi
    present=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        sed -n 's/ installed$//p')
    missing=
    for package in "$@"; do
        printf '%s\n' "$present" | grep -qxF "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null; then
        as_root=sudo
    else
        echo "These packages are missing, and there is no sudo to install them with. As root, run:" >&2
        echo "    apt-get update && apt-get install --no-install-recommends$missing" >&2
        return 1
    fi
    echo "Installing:$missing" >&2
    $as_root apt-get -q update &&
        $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get -q -y install --no-install-recommends $missing && return 0
    echo "apt-get could not install:$missing" >&2
    return 1
}
