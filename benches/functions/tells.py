import os
import socket


def handler(event, context):
    with socket.create_connection((os.environ["HOST"], int(os.environ["PORT"]))) as stream:
        stream.sendall(b"ran\n")
        stream.recv(1)
