"""Whom the services trust when they connect by TLS."""

import ssl


def trusted() -> ssl.SSLContext:
    """The authorities of the image, and those in the file that the environment variable SSL_CERT_FILE names.

    httpx2's own default takes either the one or the other.
    """
    context = ssl.create_default_context()
    # The default since Python 3.13; but authorities that facilities made often lack what it asks for.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
