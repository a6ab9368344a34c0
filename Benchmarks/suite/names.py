"""Names of contestants that the tables and the targets look for."""

QEMU = "qemu-img commit -t none"
# Of the thin-provisioning-tools that the targets are about.
TOOLS_VERSION = "1.1.0"


def short(name):
    """A contestant's name as the page has it: of qemu-img, only commit is measured."""
    return name.replace(" commit", "")
