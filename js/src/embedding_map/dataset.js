// The snapshot message: a table of contents and binary columns, unpacked into typed arrays.

const KINDS = { float32: Float32Array, int32: Int32Array, uint16: Uint16Array, uint8: Uint8Array };

function column(buffer, dtype) {
  const Kind = KINDS[dtype];
  if (buffer instanceof ArrayBuffer) return new Kind(buffer);
  const { buffer: bytes, byteOffset, byteLength } = buffer;
  if (byteOffset % Kind.BYTES_PER_ELEMENT === 0) return new Kind(bytes, byteOffset, byteLength / Kind.BYTES_PER_ELEMENT);
  return new Kind(bytes.slice(byteOffset, byteOffset + byteLength));
}

/**
 * @typedef {object} Dataset
 * @property {number} n texts
 * @property {number} k neighbours a text
 * @property {Float32Array} before x0, y0, x1, y1, ...
 * @property {Float32Array} after the same for the tuned model
 * @property {Float32Array} kept share of kept neighbours, 0..1
 * @property {Float32Array} moved displacement in units of the noise floor
 * @property {Int32Array} neighbors_before k indices a text, nearest first, -1 = none
 * @property {Int32Array} neighbors_after the same for the tuned model
 * @property {Uint16Array} codes label code, 65535 = no label
 * @property {Uint8Array | null} roles 0 = document, 1 = query; null where there are no roles
 * @property {string[]} texts cut for display
 * @property {{name: string, count: number}[]} labels by code, most frequent first
 * @property {object} meta figures of the projection
 */

/** @returns {Dataset} */
export function unpack(message, buffers) {
  const { columns, revision, n, k, texts, labels, meta } = message;
  const data = { revision, n, k, texts, labels, meta, roles: null };
  columns.forEach(({ name, dtype }, i) => (data[name] = column(buffers[i], dtype)));
  return data;
}

/** The neighbours of point `i` on one side, nearest first. */
export function neighbours(data, side, i) {
  const all = side === "before" ? data.neighbors_before : data.neighbors_after;
  return Array.from(all.subarray(i * data.k, (i + 1) * data.k)).filter((j) => j >= 0);
}
