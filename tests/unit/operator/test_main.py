"""What whoever installs the operator sees when its environment is wrong."""

import os
import subprocess
import sys
from pathlib import Path

from support.known import settings


def test_wrong_environment_is_told_variable_by_variable() -> None:
    environment = {"PATH": os.environ["PATH"], "PANOSC_GATEWAY_PORT": "99999", "PANOSC_IMAGE_ARCHIVE": "a"}
    program = Path(sys.executable).with_name("panosc-operator")
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "PANOSC_GATEWAY_PORT: Input should be less than or equal to 65535" in done.stderr
    assert "PANOSC_IMAGE_CATALOGUE: Field required" in done.stderr
    assert "Traceback" not in done.stderr


def test_urls_name_the_port_only_if_it_is_not_the_scheme_s_own() -> None:
    assert settings().url_of("a.example.org") == "http://a.example.org"
    assert settings(gateway_port=8443, gateway_tls=True).url_of("a") == "https://a:8443"
    assert settings(gateway_port=443, gateway_tls=True).url_of("a") == "https://a"
    assert settings(gateway_port=443).url_of("a") == "http://a:443"
