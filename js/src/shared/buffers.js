// Binary columns that arrive as buffers of custom messages.

/** A view of *buffer* (DataView or ArrayBuffer) as Float32; copies only where the alignment demands it. */
export const float32 = (buffer) => typed(buffer, Float32Array);

/** The same as Int32, e.g. for category codes. */
export const int32 = (buffer) => typed(buffer, Int32Array);

function typed(buffer, Kind) {
  if (buffer instanceof ArrayBuffer) return new Kind(buffer);
  const { buffer: bytes, byteOffset, byteLength } = buffer;
  const size = Kind.BYTES_PER_ELEMENT;
  if (byteOffset % size === 0) return new Kind(bytes, byteOffset, byteLength / size);
  return new Kind(bytes.slice(byteOffset, byteOffset + byteLength));
}
