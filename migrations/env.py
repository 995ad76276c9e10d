"""Read by Alembic: runs the migrations on the connection that it was given, all of them in its one transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
