"""Names of contestants that the tables and the targets look for."""

QEMU = "qemu-img commit -t none"
# Of the thin-provisioning-tools that the targets are about.
TOOLS_VERSION = "1.1.0"
