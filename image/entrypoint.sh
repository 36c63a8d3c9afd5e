#!/bin/sh
# Runs as root of the container. The zygote and the agent start side by side: each takes about 100 ms.
set -eu

# When somebody starts the container again, cells have written to what is first in theirs.
path=$PATH
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# Certificates of this container alone, laid in before its start.
if [ -d /run/ipybox/certificates ]; then
  cat /run/ipybox/certificates/*.crt >> "$SSL_CERT_FILE"
  rm -r /run/ipybox/certificates
fi

# Before what cells start. Only a daemon with root can grant it.
renice -n -12 -p $$ > /dev/null 2>&1 || true

/usr/bin/python3 -I -S -u /opt/ipybox/python/ipybox_kernel &

read -r flags < /opt/ipybox/node.flags
# Node can start from a heap that was stored with the image, where that fits.
snapshot=
if read -r stamp < /opt/ipybox/node.stamp && [ "$(. /opt/ipybox/node-stamp.sh)" = "$stamp" ]; then
  snapshot=--snapshot-blob=/opt/ipybox/node.blob
fi 2> /dev/null

# Without the certificates, which the agent needs not and takes 20 ms to read.
exec env -u NODE_EXTRA_CA_CERTS PATH="$path" "$(command -v node)" $flags $snapshot /opt/ipybox/agent/agent.cjs
