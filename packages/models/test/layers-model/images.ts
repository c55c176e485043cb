/** Images that fixtures were made with: [1, height, width, 3], another one for each phase. */
export function drawImage(height: number, width: number, phase = 0): Float32Array {
  return Float32Array.from({ length: height * width * 3 }, (_, index) => {
    const [y, x, c] = [Math.floor(index / (width * 3)), Math.floor(index / 3) % width, index % 3];
    const wave = Math.sin(0.05 * (phase + 1) * x + 0.031 * y * (c + 1) + phase);
    return wave * Math.cos(0.017 * x * (c + 1) - 0.043 * y);
  });
}
