// Arrays and rows as the page holds them, `celsa_lib.demo.pack` in reverse.

const TYPES = { float32: Float32Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };

/** The numbers of a packed array: base64 of little-endian bytes, the order of every browser. */
function unpack({ type, data }) {
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new TYPES[type](bytes.buffer);
}

/** Rows as CSR; packed rows that have no columns have all of them. */
function rowsOf({ rows, width, values, columns, starts }) {
  const found = { rows, width, values: unpack(values) };
  if (columns) return { ...found, columns: unpack(columns), starts: unpack(starts) };
  found.columns = new Uint32Array(rows * width);
  for (let k = 0; k < rows * width; k++) found.columns[k] = k % width;
  found.starts = Uint32Array.from({ length: rows + 1 }, (_, row) => row * width);
  return found;
}
