"""`python -m api`: serve HTTP until SIGINT or SIGTERM."""

from storage.garbage import loading


def main() -> None:
    """Load the api, and listen."""
    with loading():
        from api.listen import listen
    listen()


if __name__ == "__main__":
    main()
