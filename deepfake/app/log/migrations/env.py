"""env: alembic runs the migrations by this, on the connection that the log hands over."""

from alembic import context

from deepfake.app.log.schema import VERSIONS, Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, version_table=VERSIONS
)
with context.begin_transaction():
    context.run_migrations()
