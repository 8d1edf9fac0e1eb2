"""A forwarder as scripts do it: for each connection the docker program is
asked which container there is and where, and asyncio copies the bytes.

Usage: scripted.py LISTEN_PORT LABEL CONTAINER_PORT LISTEN_ADDRESS
"""
import asyncio
import subprocess
import sys


def address(label):
    """Ask the engine anew: containers come and go."""
    name = subprocess.run(
        ["docker", "ps", "-q", "--filter", "label=" + label],
        capture_output=True, text=True, check=True).stdout.split()[0]
    return subprocess.run(
        ["docker", "inspect", "-f", "{{.NetworkSettings.IPAddress}}", name],
        capture_output=True, text=True, check=True).stdout.strip()


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def main(port, label, to, listen):
    async def serve(reader, writer):
        try:
            host = await asyncio.to_thread(address, label)
            up_reader, up_writer = await asyncio.open_connection(host, to)
        except (OSError, IndexError, subprocess.CalledProcessError):
            writer.close()
            return
        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))

    server = await asyncio.start_server(serve, listen, port)
    await server.serve_forever()


asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]))
