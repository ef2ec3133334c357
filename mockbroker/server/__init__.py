"""The thin trio shell: sockets, tasks and real time around the synchronous core."""
