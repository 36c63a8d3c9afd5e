# Read by a shell, prints in a line what a stored heap of Node fits: this very Node, its flags, a processor with the same features.
echo $(
  stat -L -c '%s %Y' "$(command -v node)" /usr/lib/*/libnode.so.* 2> /dev/null || true
  sed -n '/^$/q; /^\(vendor_id\|cpu family\|model\|stepping\|flags\|Features\|CPU \)/p' /proc/cpuinfo
  echo "${NODE_OPTIONS-}"
)
