"""Alembic's entry. The gateway migrates itself (`Database.migrate`) and hands the open connection over."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=True,  # the transactions are begun by packtrace_gateway.db, DDL included
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
