# The API of a face generator in a container: docker build -t facegan . &&
# docker run -e FACEGAN_TOKEN=… -p 8000:8000 facegan
#
# Another model: docker run -v ./models:/models:ro … facegan serve /models/mine.safetensors
#   --host 0.0.0.0
# PyPI's PyTorch brings CUDA, gigabytes of it. The smallest image has the build for the CPU:
#   docker build -t facegan --build-arg PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu .
FROM python:3.11-slim

ARG PIP_EXTRA_INDEX_URL=""
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir -c constraints.txt ".[studio]" && rm -rf /source

# Nothing is written but a cache; a read-only container works with a tmpfs there.
RUN useradd --create-home --shell /usr/sbin/nologin facegan
USER facegan
WORKDIR /home/facegan
ENV PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/api/health', timeout=4)"]
ENTRYPOINT ["facegan"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
