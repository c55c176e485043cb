let table: Float32Array | undefined;

/** Every 16-bit float as a number, by its bits, as blocks look up their scales. */
export function halfTable(): Float32Array {
  table ??= new Float32Array(
    new Float16Array(Uint16Array.from({ length: 65_536 }, (_, bits) => bits).buffer),
  );
  return table;
}
