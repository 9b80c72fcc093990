# What Kafka and the database run on, where neither apache/kafka nor mongo can be had.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --no-install-recommends -y openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/*
