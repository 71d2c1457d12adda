"""Says whether a PostgreSQL server can be used: `python postgres.py URL` exits with 0 if it can."""

import sys

import psycopg

CONNECT_TIMEOUT_SECONDS = 3


def main(url: str) -> str | None:
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_SECONDS) as connection:
            row = connection.execute(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.Error as error:
        return f"PostgreSQL cannot be reached: {error}"
    if row != (True,):
        return "the PostgreSQL role may not create databases: ALTER ROLE ... CREATEDB"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
