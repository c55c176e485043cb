import type { Tensor } from '../ir.ts';
import { makeTensor, scalar } from '../ir.ts';
import {
  add,
  cast,
  div,
  equal,
  erf,
  exp,
  less,
  mul,
  relu6,
  rsqrt,
  sigmoid,
  square,
  sub,
  tanh,
} from './elementwise.ts';
import { fuse } from './fuse.ts';
import { mean, reshape, sum, sumRows, withGradient } from './structure.ts';

/** Softmax over the last axis. */
export function softmax(x: Tensor): Tensor {
  return makeTensor('Softmax', [x], x.shape, x.dtype);
}

/** Logarithm of softmax over the last axis. */
export function logSoftmax(x: Tensor): Tensor {
  return makeTensor('LogSoftmax', [x], x.shape, x.dtype);
}

/** x + y of equal shapes, in one pass: where a layer's result joins the states that went around it. */
export function addResidual(x: Tensor, y: Tensor): Tensor {
  const [total] = fuse([x, y], (left, right) => [add(left, right)] as const);
  return withGradient(total, [x, y], (gradient) => [gradient, gradient]);
}

/** γ·(x−μ)/√(σ²+ε) + β over the last axis of x [rows, width] (Ba et al. 2016). */
export function layerNorm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: number): Tensor {
  const [output, average, inverse] = fuse([x, gamma, beta], (states, scale, shift) => {
    const center = mean(states, [-1], true); // [rows, 1]
    const centered = sub(states, center); // [rows, width]
    const factor = rsqrt(add(mean(square(centered), [-1], true), epsilon)); // [rows, 1]
    return [add(mul(mul(centered, factor), scale), shift), center, factor] as const;
  });
  return withGradient(output, [x, gamma, beta], (gradient, needed) => {
    const [toX, product] = fuse(
      [gradient, x, average, inverse, gamma],
      (outer, states, center, factor, scale) => {
        const normalized = mul(sub(states, center), factor);
        const toStates = normBackward(mul(outer, scale), normalized, factor, true);
        return needed[1] === true ? [toStates, mul(outer, normalized)] : [toStates];
      },
    );
    return [
      needed[0] === true ? toX : undefined,
      product === undefined ? undefined : sumRows(product),
      needed[2] === true ? sumRows(gradient) : undefined,
    ];
  });
}

/** w·x/√(mean(x²)+ε) over the last axis of x [rows, width] (Zhang and Sennrich 2019). */
export function rmsNorm(x: Tensor, weight: Tensor, epsilon: number): Tensor {
  const [output, inverse] = fuse([x, weight], (states, scale) => {
    const factor = rsqrt(add(mean(square(states), [-1], true), epsilon)); // [rows, 1]
    return [mul(mul(states, factor), scale), factor] as const;
  });
  return withGradient(output, [x, weight], (gradient, needed) => {
    const [toX, product] = fuse([gradient, x, inverse, weight], (outer, states, factor, scale) => {
      const normalized = mul(states, factor);
      const toStates = normBackward(mul(outer, scale), normalized, factor, false);
      return needed[1] === true ? [toStates, mul(outer, normalized)] : [toStates];
    });
    return [needed[0] === true ? toX : undefined, product === undefined ? undefined : sumRows(product)];
  });
}

/** The gradient of a norm's input from that of its normalized values. */
function normBackward(scaled: Tensor, normalized: Tensor, inverse: Tensor, isCentered: boolean): Tensor {
  const along = mul(normalized, mean(mul(scaled, normalized), [-1], true));
  const start = isCentered ? sub(scaled, mean(scaled, [-1], true)) : scaled;
  return mul(sub(start, along), inverse);
}

/** An activation of x, or of x + bias for x [rows, width]; only x is kept for the backward pass. */
function activation(
  x: Tensor,
  value: (x: Tensor) => Tensor,
  derivative: (x: Tensor) => Tensor,
  bias?: Tensor,
): Tensor {
  const inputs = bias === undefined ? [x] : [x, bias];
  const shift = (y: Tensor, by?: Tensor): Tensor => (by === undefined ? y : add(y, by));
  const [output] = fuse<readonly Tensor[], readonly [Tensor]>(inputs, (...[states = x, own]) => [
    value(shift(states, own)),
  ]);
  return withGradient(output, inputs, (gradient, needed) => {
    const [toX] = fuse<readonly Tensor[], readonly [Tensor]>(
      [gradient, ...inputs],
      (...[outer = gradient, states = x, own]) => [mul(outer, derivative(shift(states, own)))],
    );
    return [toX, needed[1] === true ? sumRows(toX) : undefined];
  });
}

/** Φ(x), the standard normal distribution. */
const normalCumulative = (x: Tensor): Tensor => mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);

/** x·Φ(x), with the exact error function (Hendrycks and Gimpel 2016); of x + bias where there is a bias [width]. */
export function gelu(x: Tensor, bias?: Tensor): Tensor {
  return activation(
    x,
    (y) => mul(y, normalCumulative(y)),
    (y) => add(normalCumulative(y), mul(mul(y, exp(mul(square(y), -0.5))), 1 / Math.sqrt(2 * Math.PI))),
    bias,
  );
}

/** gelu with the tanh approximation, as GPT-2 and `gelu_new` compute it. */
export function geluTanh(x: Tensor): Tensor {
  const slope = Math.sqrt(2 / Math.PI);
  const bend = 0.044715;
  const inner = (y: Tensor): Tensor => tanh(mul(mul(y, add(mul(square(y), bend), 1)), slope));
  return activation(
    x,
    (y) => mul(y, mul(add(inner(y), 1), 0.5)),
    (y) => {
      const t = inner(y);
      const chain = mul(add(mul(square(y), 3 * bend), 1), slope / 2);
      return add(mul(add(t, 1), 0.5), mul(mul(y, sub(scalar(1), square(t))), chain));
    },
  );
}

/** x·σ(x), also called SiLU (Ramachandran et al. 2017). */
export function swish(x: Tensor): Tensor {
  return activation(
    x,
    (y) => mul(y, sigmoid(y)),
    (y) => {
      const s = sigmoid(y);
      return mul(s, add(mul(y, sub(scalar(1), s)), 1));
    },
  );
}

/** min(max(x+3, 0), 6)/6 (Howard et al. 2019). */
export function hardSigmoid(x: Tensor): Tensor {
  return mul(relu6(add(x, 3)), 1 / 6);
}

/** x·min(max(x+3, 0), 6)/6 (Howard et al. 2019). */
export function hardSwish(x: Tensor): Tensor {
  return activation(
    x,
    (y) => mul(y, hardSigmoid(y)),
    (y) => {
      const rising = cast(less(square(y), 9), 'float32'); // 1 where |y| < 3.
      return add(hardSigmoid(y), mul(mul(y, rising), 1 / 6));
    },
  );
}

/** gate·σ(gate)·up (Shazeer 2020). */
export function swiglu(gate: Tensor, up: Tensor): Tensor {
  const [output] = fuse([gate, up], (a, b) => [mul(mul(a, sigmoid(a)), b)] as const);
  return withGradient(output, [gate, up], (gradient) =>
    fuse([gradient, gate, up], (outer, a, b) => {
      const s = sigmoid(a);
      const activated = mul(a, s);
      const slope = add(s, mul(activated, sub(scalar(1), s)));
      return [mul(mul(outer, b), slope), mul(outer, activated)] as const;
    }),
  );
}

/** Mean over time of x [batch, time, width] where mask [batch, time] is 1. */
export function maskedMean(x: Tensor, mask: Tensor): Tensor {
  const [batch = 0, time = 0] = mask.shape;
  const weights = reshape(mask, [batch, time, 1]);
  return div(sum(mul(x, weights), [1]), sum(weights, [1]));
}

/** The share of rows whose largest logit is at the label, shape []. */
export function countCorrect(predicted: Tensor, labels: Tensor): Tensor {
  return sum(cast(equal(predicted, labels), 'float32'));
}
