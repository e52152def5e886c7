"""Mount points are read as the kernel writes them."""

from panosc_dev.mounts import mount_points

MOUNTINFO = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
90 22 0:40 / /run/panosc/a/with\040blank rw - tmpfs tmpfs rw
91 22 0:41 / /run/panosc/a/back\134slash rw - tmpfs tmpfs rw
"""


def test_mount_points_in_order_with_their_escapes_undone() -> None:
    assert mount_points(MOUNTINFO) == ["/", "/run/panosc/a/with blank", "/run/panosc/a/back\\slash"]
