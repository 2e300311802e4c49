# The page as a demo: no login, no training, nothing written but to /tmp. docs/deploy.md says how to run it otherwise.
FROM python:3.13-slim

RUN useradd --create-home --uid 1000 latentlab
WORKDIR /app
COPY requirements.txt pyproject.toml README.md LICENSE ./
# torch's own build for CPUs is a tenth of the size of the one that comes with CUDA
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' requirements.txt)" \
    && pip install --no-cache-dir --no-deps "$(grep '^torchvision==' requirements.txt)" \
    && pip install --no-cache-dir -r requirements.txt
COPY app.py ./
COPY latentlab latentlab
COPY assets assets
COPY checkpoints checkpoints

ENV HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER latentlab
EXPOSE 7860
HEALTHCHECK --interval=30s --start-period=60s \
    CMD python -c "import urllib.request as web; web.urlopen('http://127.0.0.1:7860/', timeout=5)"
ENTRYPOINT ["python", "app.py"]
CMD ["--host", "0.0.0.0", "--port", "7860", "--demo", "--name", "localhost"]
