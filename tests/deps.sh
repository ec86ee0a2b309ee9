#!/bin/sh
# deps.sh build|demo|test|lint|deb|bench ... - installs the Debian packages of these groups that are missing; says the one command where it
# may not install. Prints nothing when all is there.
set -eu
build="gcc make pkg-config libcurl4-openssl-dev libical-dev libinih-dev libsodium-dev libsqlite3-dev libsystemd-dev
 libmicrohttpd-dev libcmark-dev libidn2-dev libjansson-dev libcsv-dev libunistring-dev libgmime-3.0-dev libseccomp-dev tzdata"
demo="python3 postfix dovecot-imapd dovecot-lmtpd openssl"
test="$demo python3-prometheus-client rsync libcmocka-dev strace curl procps clang
 libclang-rt-14-dev clang-format mandoc chromium fonts-noto-core fonts-wqy-microhei nodejs"
lint="clang-tidy cppcheck"
deb="dpkg-dev debhelper lintian"
bench="mlmmj sqlite3 wrk"
want=
for group; do
    case $group in build) want="$want $build" ;; demo) want="$want $demo" ;; test) want="$want $test" ;; lint) want="$want $lint" ;; deb) want="$want $deb" ;; bench) want="$want $bench" ;; *) echo "deps.sh: no group $group" >&2; exit 64 ;; esac
done
missing=
for package in $want; do
    case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || :) in installed) ;; *) missing="$missing $package" ;; esac
done
# npm comes with some builds of nodejs and as a package of its own with Debian's.
case " $* " in *" test "*) command -v npm >/dev/null 2>&1 || missing="$missing npm" ;; esac
# Mail servers that exclude the one that is installed are only fetched. A test that lacks one says so.
case " $* " in *" test "*) "$(dirname "$0")/tools/server_deps" >/dev/null 2>&1 || : ;; esac
[ -n "$missing" ] || exit 0
sudo=
if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then sudo="sudo -n"; else
        echo "These packages are missing. Install them and run make again:" >&2
        echo "  sudo apt-get install --no-install-recommends$missing" >&2
        exit 77
    fi
fi
echo "installing:$missing"
log=$(mktemp)
if ! { $sudo apt-get -qq update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing; } >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    echo "The packages could not be installed; above is why." >&2
    exit 75
fi
rm -f "$log"
