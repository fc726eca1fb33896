print("stream-job")
