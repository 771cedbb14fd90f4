"""Graphs as one line of text, and as YAML."""

from __future__ import annotations

from typing import IO, Any

from nemo_run.exceptions import ConfigError, SerializationError

from . import codec


class ZlibJSONSerializer:
    """Writes a graph as one short line: its JSON, compressed, in URL-safe base64."""

    def serialize(self, cfg: Any, pyref_policy: Any = None) -> str:  # noqa: ARG002
        """Return the line of ``cfg``.

        Args:
            cfg: A configuration, or any value that configurations hold.
            pyref_policy: Taken for compatibility; names are never imported when reading.

        Raises:
            SerializationError: Something in it cannot travel.
        """
        import zlib
        from base64 import urlsafe_b64encode

        return urlsafe_b64encode(zlib.compress(codec.dumps(cfg).encode("utf-8"))).decode("ascii")

    def deserialize(self, serialized: str, pyref_policy: Any = None) -> Any:  # noqa: ARG002
        """Return the graph of a line.

        Args:
            serialized: What :meth:`serialize` returned.
            pyref_policy: Taken for compatibility.

        Raises:
            ConfigError: It is not such a line.
        """
        import zlib
        from base64 import urlsafe_b64decode

        try:
            text = zlib.decompress(urlsafe_b64decode(serialized.strip())).decode("utf-8")
        except (ValueError, zlib.error) as error:
            raise ConfigError(
                f"The text is no serialized configuration: {error}. It must be the whole of what "
                "ZlibJSONSerializer().serialize returned."
            ) from error
        return codec.loads(text)


class YamlSerializer:
    """Writes a graph as YAML that people read and edit: ``_target_`` and arguments."""

    def serialize(self, cfg: Any, stream: IO[str] | None = None) -> str | None:
        """Return the YAML of ``cfg``, or write it to ``stream``.

        Args:
            cfg: A configuration, or any value that configurations hold.
            stream: An open text file.

        Raises:
            SerializationError: Something in it cannot travel.
        """
        from .spelling import spell
        from .yaml_text import write

        document = codec.encode(cfg)
        try:
            text = write(spell(document))
        except RecursionError:
            raise SerializationError(
                "The configuration is nested too deeply for YAML; make it flatter."
            ) from None
        if stream is None:
            return text
        stream.write(text)
        return None

    def deserialize(self, serialized: str) -> Any:
        """Return the graph of a YAML text.

        Raises:
            ConfigError: The text is no YAML, or describes no configuration.
        """
        from .spelling import document_of
        from .yaml_text import read

        return codec.decode(document_of(read(serialized).data))
