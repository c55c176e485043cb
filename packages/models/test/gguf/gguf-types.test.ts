import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { ggufTypes } from '../../src/gguf/gguf-types.ts';

/** Blocks of random bits with scales of a weight's size, and what the Python package `gguf` 0.19 makes of them. */
const golden: Readonly<
  Record<
    string,
    {
      readonly raw: string;
      readonly first: readonly number[];
      readonly last: readonly number[];
      readonly sha256: string;
    }
  >
> = {
  F16: {
    raw: 'CAimJwWns63SqVmuKR5KMA==',
    first: [0.000123023987, 0.029876709, -0.0274200439],
    last: [0.00601577759, 0.134033203],
    sha256: '1174c60f918d061dfc7d230c3bcae4832652c94fe54357f56e59515103257891',
  },
  BF16: {
    raw: 'ATn1POG8tr06vcu9xTsJPg==',
    first: [0.000123023987, 0.0299072266, -0.0274658203],
    last: [0.00601196289, 0.133789062],
    sha256: '390dccf1fe0f18326e8fc0333ce6b85780bc5fc3a497a18c137285e1613179c3',
  },
  Q4_0: {
    raw: 'OCNSxCtbwdUEJMofxMO3mOckoSMA8fJJh0CHccff/gpRgX2WpyVB+Wp4ffKdXrKYz+Bwac6v',
    first: [-0.0845947266, -0.0563964844, 0.0422973633],
    last: [0.0883178711, 0.0441589355],
    sha256: 'e641b5ef09b1a1cc7c82a18ba0d05f72eef9e26e182e49f4ab43183527d2df1f',
  },
  Q4_1: {
    raw: 'PyPwJKZYi/HbO1OyTwQDXM4ahiILIzioNqQHZtQBXpclRZqe2B1ZS2ykzZ4mwDfspPCOxhmDjN5J2nsi',
    first: [0.104202271, 0.132507324, 0.174964905],
    last: [-0.127552032, -0.0411872864],
    sha256: '2406950f7c964a9da7433794c997cfb03eee20451a45777b8f5247ba7d5aa0aa',
  },
  Q5_0: {
    raw: 'aSltcf8t9Sj77sSK6WQAloySCz6P99Mo9XtkSTM/GUxU02AWNpNVr1DKiKVqp8F2A2M4WSIAMOTZcnrNuoibkMMX',
    first: [0.211334229, -0.338134766, 0.464935303],
    last: [-0.34753418, 0.434417725],
    sha256: 'b2e14371eeff30a4b2215146e7c34461918deaec76e70d465a03aabdbafa1275',
  },
  Q5_1: {
    raw: 'XiTIoSICDFCLhWITRutsOW9iCbiFMJgu8aefI++qNNxVhC6GjueH26+xglJREYMasaYqpKTKAUrFHVaX98Ncqf5tZpyBHoiz',
    first: [0.176361084, 0.346954346, 0.0228271484],
    last: [-0.643585205, -0.303787231],
    sha256: '36dcc813c60bc5d0c831c2b0132bc39640c93ac83e82b83eece611e1ed495612',
  },
  Q8_0: {
    raw: 'giQatPwurNY5MmZX/p4wsSNp4kPymFE3+MuFL4D+GiAwcswjeooEYKsc5y2C1v7A5eZxTjtHNbws47ZfCCCzaak5P/n9pBqlG5vCNVce/9K4KPBegeb3EGS3dV8E2c2JrydWwxXe',
    first: [0.457824707, -1.33825684, -0.0704345703],
    last: [-0.409194946, 0.662506104],
    sha256: '226d957b17e3e886aa93e77a048f3d058f66b995865e77dbf02538ec168e42bd',
  },
  Q2_K: {
    raw: 'DhtIR/bEYKNjYtP9zk7Q/eraALT3QsMYM+ttpDBgt4Frw9V66wV9ZY9o7kPker00JZz6ro51JOLnjoklBRZdiqM+RJB4brmcu54QPv50DUkYpMwUV+JZju9RxdvnLNK7osDWNo566TJjMQI61pLHQ4IXp8oRYVFTWMFDQGPxqoOpAfLHkgG0dFJHEQG9o5J+57l1Y6T2+5nPrTvnbjZfyYJVprElJJem',
    first: [-0.447753906, -0.447753906, -0],
    last: [0.271499634, 0.271499634],
    sha256: '40ac5cbe1c6f185ab707a0937c74430acd18733f5082f50e136ef340ddd351ff',
  },
  Q3_K: {
    raw: 'N+xrjMoUf/s0HIFuF6pXCgU7PTXR8m4fADh1y/QZ2nYURA4zsrDl9n/rDz0RWogjh+69GHXcWlP1rztCPsITMbpMj7SKN1dSEf9zvF+3JA7IY1n3wVDLorbtYz1lgY4RwX/GMuotoPnSyew5Wpm4JrhmX0TtpJFLFdKGplk+Qg1QpNDBwi+Ltk5JJFT+dTdmZAYkGfTmxIQCBYmAmzHfsPoR+QPI0TILVf8oYTADrEJf/UsdzSs/azmgvYLYFssXA93isRXxGBV6OxTfzCsnASjQ6im3Houy00YNmg==',
    first: [-0, 0.0104522705, -0.00522613525],
    last: [0.132951736, -0.177268982],
    sha256: '5e65451a0e8db0fb36d93cf761e0819c99f617ab15fe704a2a81be8d96d49deb',
  },
  Q4_K: {
    raw: 'vyjWpTRzBqbZTxLpTsxJer8f4NGlZbOAwHp0SfXLGryMkd+KM4i9fTHMsmwFqpcTqHk9CS/8ZGqcgNIpSO5U/V/3Zv6VEM4qRt2VbCU9C9HCchhRaOC2OprYqVw/TpI4NGG3v0UhoQrbjbuyNZl1G90BtOEEgp22DaT+HXQ5MfrGcIxoIfmsR/JXtJ2Mo5lQPCADmqE6wRmFtsMCp/6W642r6UXNbRFKAi/6RVlCOu0/bCDETLFDhg8/UG4ibds9LJhYrAvD27iQe9T6YCkD49dffZswjgDiQej2YuCh8Bt0hvd0XIagSuTzsBp/+YGTKQCJ+p930iCf5weOCB58c0Z+yNWGVVQlOjr3XIraMA65YZ1HLduWVmNeWAyvyyGY',
    first: [29.4914246, 29.4914246, 0.569915771],
    last: [0.223041534, 0.859851837],
    sha256: '3042ac2005a1ed257d0f48a535cf474190e58f371b27ab1a8a6b29158840bb18',
  },
  Q5_K: {
    raw: 'FaSeDytpItsmjsP02cjcocvShyj/Di8ed/G7CVAQw1kY9JXdt8Z3PaUYWNPB9GkT3Z+8Drwi+nmJfwEm/BjQ5F8+EE3do/Zw7kLSBwWGRJ5fvWO0bBFgiMuSfGOT4QWOyPH9UYkz+Gg52qZtzCFOH+l8PIbXSsP/nxXz9R6M+C+/eHAI8kNrWLkJNciUZQ45pFP1Bl3vUbWyz1O84aeB2SDrs1Nm7DoSoFu3WvZOwpkWoZygkchvGlNG61F43gfn66aeuuAhsl7+wreb8ZDKwNR8cxmFxLWjBHlSh76OheObAD31QroMiIX0dESstOFLI4ACyeOsRNEQQUAXCmYDWkphqLHORstdeWCx/3BfiCVbQNlmnieKOiAsccEnQaZbzkeIkyhn+u7bFsbHevKd7wWlBYHQ3cxbsrFF68snqhxujpPBlnL9QXT9kpaO83Kf6xh6nSeW6RAnIpMEpWlrig==',
    first: [-19.9016228, -10.3024721, -19.2159691],
    last: [-1.25967407, -1.39874268],
    sha256: '64e8e362e365734a28f8a8e35211ac591c9427f6e360674077a24ab6d53a35ab',
  },
  Q6_K: {
    raw: '36ArjiixMot/goNU8pFm1180pmdW/ATAtksCNDUP5lQtvPIBBqdomRU6IwNF1coxQgFx6Qf2xCaWNzxln7D+gBLvxYp3G+qKZjhs0QtL2f/B+wx4Vi3e+61idT5JJTiFF3BgV03ya6piC0/UFUUaNR72B2oyWZ/CmOdd/u/vWcyqUZK6f6GX9T7RnYBc8VciiE5Zov9MVnLrhC4LzzJ9pEBY6v7TKdCLi3qSCQWM/BvmnhU2cDXUp1aWmGIVRn3DW8cjxPZD2+LsELVM2wMLEoMo5c/ynpRHtzN9c0283OWJwqRMenVgsPOiBexp5LXLj22pWtCMRlJ6oKPhEEf+Lya48x2Cy9SAaMRvBOH2AGZ7JxEexkHUQ0O6AwXiOH+B0TD8SUpJYxQsns7mRTs+91Hbgv+eazxNZfNVlgRTUgWzKUowkciLz9+hFd9+eZ03HkFnv3L5BDQ+aP2FvSmymR+aC24lQbFaj9cYKOJ1dm/qrjjNWPb23KEyo2c7H1VSgZn9X7WkoupH5mVayrATJCzgV961i+lGPzdRojbl3cXUVA4Y',
    first: [48.1132507, -51.3208008, 35.2830505],
    last: [-5.1554718, 3.32611084],
    sha256: '334de26fe2b2659e561e60101a3166757e0f4cdfd52657f8eaceab9850cd72cb',
  },
};

const quantized = [...ggufTypes.values()].filter((type) => type.name !== 'F32');

test.each(quantized.map((type) => [type.name, type] as const))(
  'blocks of %s become the same floats as in Python',
  (name, type) => {
    const { raw = '', first, last, sha256 } = golden[name] ?? {};
    const bytes = Uint8Array.fromBase64(raw);
    const values = new Float32Array((bytes.length / type.blockBytes) * type.blockLength);
    type.unpack(bytes, values);
    expect([...values.subarray(0, 3)]).toEqual(first?.map(Math.fround));
    expect([...values.subarray(-2)]).toEqual(last?.map(Math.fround));
    expect(createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex')).toBe(sha256);
  },
);
