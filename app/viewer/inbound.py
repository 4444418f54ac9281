"""What an open page may send: uploads up to a size, and no wish for a tunnel.

File names and contents are whatever the sender likes. A panel that takes an upload reads its bytes
and, of its name, at most the ending; nothing on the page names a path on this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from viser import ViserServer

UPLOAD_BYTES = 512 * 2**20
"""All uploads under way at one time, together."""


def bound(server: ViserServer) -> None:
    """Refuse larger uploads with a word to the page, and take away viser's public tunnel."""
    from viser import _messages as messages

    socket, gui = server._websock_server, server.gui
    states = gui._current_file_upload_states

    def begin(client_id: Any, message: messages.FileTransferStartUpload) -> None:
        under_way = sum(state["total_bytes"] for state in states.values())
        if message.size_bytes < 0 or under_way + message.size_bytes > UPLOAD_BYTES:
            _refuse(server, client_id, message)
        elif message.transfer_uuid not in states:
            gui._handle_file_transfer_start(client_id, message)

    def take(client_id: Any, message: messages.FileTransferPart) -> None:
        state = states.get(message.transfer_uuid)
        if state is None or state["client_id"] != client_id:
            return
        if state["transferred_bytes"] + len(message.content) > state["total_bytes"]:
            del states[message.transfer_uuid]  # longer than it said it would be
            return
        gui._handle_file_transfer_part(client_id, message)

    start, part = messages.FileTransferStartUpload, messages.FileTransferPart
    socket.unregister_handler(start, gui._handle_file_transfer_start)
    socket.register_handler(start, begin)
    socket.unregister_handler(part, gui._handle_file_transfer_part)
    socket.register_handler(part, take)
    for kind in (messages.ShareUrlRequest, messages.ShareUrlDisconnect):
        socket.unregister_handler(kind)


def _refuse(server: ViserServer, client_id: Any, message: Any) -> None:
    from viser import _messages as messages

    client = server.get_clients().get(client_id)
    if client is None:
        return
    client.add_notification(
        "Upload refused",
        f"expected at most {UPLOAD_BYTES >> 20} MB on their way at one time, found a file of "
        f"{message.size_bytes / 2**20:,.0f} MB; make it smaller, or name it to darb3d view",
        color="red",
    )
    # the page's button waits for an answer to its last part
    server._websock_server.queue_message(
        messages.FileTransferPartAck(
            message.source_component_uuid,
            message.transfer_uuid,
            transferred_bytes=message.size_bytes,
            total_bytes=message.size_bytes,
        )
    )
