# Runs at the end of mmdebstrap with the new system's folder in $1, and makes
# it what an image wants to be: small, and staying small as packages come.
set -eu
root=$1
apt=$root/etc/apt/apt.conf.d
dpkg=$root/etc/dpkg/dpkg.cfg.d
mkdir -p "$apt" "$dpkg"

# Downloads and caches of apt would stay in every layer for nothing.
cat >"$apt/docker-clean" <<'END'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::GzipIndexes "true";
Acquire::Languages "none";
Apt::AutoRemove::SuggestsImportant "false";
END

# Licences stay, manuals and translations go, now and for what comes later.
cat >"$dpkg/docker" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
END
echo force-unsafe-io >"$dpkg/docker-apt-speedup"

find "$root/usr/share/doc" ! -type d ! -name copyright -delete
rm -rf "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/*
rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
