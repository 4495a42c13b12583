"""`./run docs`: build the site of the documentation, serve it, or renew its pictures."""

import argparse
import contextlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from docs.site.build import SITE, main


def run() -> None:
    """Do what the command line says."""
    options = argparse.ArgumentParser(prog="./run docs", description=__doc__)
    options.add_argument("--serve", metavar="PORT", type=int, nargs="?", const=8000, help="serve it (8000)")
    options.add_argument("--pictures", action="store_true", help="first draw diagrams and screenshots again")
    given = options.parse_args()
    if given.pictures:
        from docs.site.pictures import renew  # needs the dev packages

        renew()
    main()
    if given.serve is not None:
        serve(given.serve)


def serve(port: int) -> None:
    """Serve the site on this machine until Ctrl-C."""
    handler = partial(SimpleHTTPRequestHandler, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    run()
