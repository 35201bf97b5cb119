"""Mistakes that beginners make, each in the code of an exercise, and the word by which its hint must name the cause.

A row is a mistake's exercise, the style of the code it stands in ("own" is the package's), the change as
:func:`workbooks.plant` takes it, and a regular expression for the hint, or None where it need only be noticed.
"""

# ruff: noqa: E501

MISTAKES = []


def of(exercise, *rows, style="course"):
    for word, *change in rows:
        change = change[0] if isinstance(change[0], str) else [list(pair) for pair in change]
        MISTAKES.append((exercise, style, change, word))


# FullyConnectedNets

of(
    "affine_forward",
    ("bias is missing", (".dot(w) + b", ".dot(w)")),
    ("flatten", ("x.reshape(x.shape[0], -1).dot(w)", "x.dot(w)")),
    ("float32", ("out = x", "out = np.zeros((x.shape[0], w.shape[1]))\n    out += x")),
    ("2 results", ("return out, cache", "return out")),
    (
        "must not be altered",
        ("out = x.reshape(x.shape[0], -1).dot(w) + b", "x *= 1\n    out = x.reshape(len(x), -1) @ w + b"),
    ),
    (
        "shape",
        "out = np.zeros(len(x))\nfor n in range(len(x)):\n    out[n] = np.sum(x[n].ravel() @ w + b)\nreturn out, (x, w, b)",
    ),
)
of(
    "affine_forward",
    ("bias is missing", (" + b[m]", "")),
    ("float32", (", dtype=x.dtype", "")),
    style="loops",
)
of(
    "affine_backward",
    ("that of x", (".reshape(x.shape)", "")),
    ("mean over the batch", ("dout.sum(axis=0)", "dout.mean(axis=0)")),
    ("sum over axis 0", ("dout.sum(axis=0)", "dout.sum(axis=1)")),
    ("divided by the number of examples", (".T.dot(dout)", ".T.dot(dout) / x.shape[0]")),
    ("need_dx", ("    if need_dx:\n        dx", "    if True:\n        dx")),
    ("order", ("return dx, dw, db", "return dw, dx, db")),
    (r"shape|that of w", (".T.dot(dout)", ".dot(dout)")),
)
of("affine_backward", ("last example", ("dw[:, m] += row", "dw[:, m] = row")), style="loops")
of(
    "relu_forward",
    ("x as it came", "return x, x"),
    ("negative values", "return np.minimum(x, 0), x"),
    ("absolute", "return np.abs(x), x"),
    ("must not be altered", "x[x < 0] = 0\nreturn x, x"),
    ("one number", "return max(0, x.max()), x"),
    ("float32", "return np.maximum(0.0, x.astype(float)), x"),
)
of(
    "relu_backward",
    ("dout > 0", "return dout * (dout > 0)"),
    ("passes everywhere", "return dout"),
    ("dout is forgotten", "return 1.0 * (cache > 0)"),
    ("x < 0", "return dout * (cache < 0)"),
    ("x = 0", "return dout * (cache >= 0)"),
    ("must not be altered", "dout[cache <= 0] = 0\nreturn dout"),
    ("x times dout|x · dout", "return np.maximum(cache, 0) * dout"),
)
of(
    "softmax_loss",
    ("sum over the batch", ("log_probs[np.arange(N), y]) / N", "log_probs[np.arange(N), y])")),
    ("not divided by the number", ("    dx /= N\n", "")),
    ("1 is not subtracted", ("    dx[np.arange(N), y] -= 1\n", "")),
    ("largest score", ("x - np.max(x, axis=1, keepdims=True)", "x")),
    ("sign", ("loss = -", "loss = ")),
    ("wrong axis|axis", ("axis=1, keepdims=True))\n", "axis=0, keepdims=True))\n")),
    ("true class", ("dx[np.arange(N), y] -= 1", "dx[:, y] -= 1")),
    ("float32", ("dx /= N", "dx = dx.astype(float) / N")),
    ("whole batch|each row's", ("np.max(x, axis=1, keepdims=True)", "np.max(x)")),
)
NET_INIT = "FullyConnectedNet.__init__"
of(
    NET_INIT,
    ("float32", ("self.params[k] = v.astype(dtype)", "self.params[k] = v")),
    ("weight_scale", ("np.random.normal(0.0, weight_scale, shape)", "np.random.randn(*shape)")),
    ("zeros", ("np.zeros(dims[i])", "np.ones(dims[i])")),
    (
        "Gaussian",
        (
            "np.random.normal(0.0, weight_scale, shape)",
            "np.random.uniform(-1.732 * weight_scale, 1.732 * weight_scale, shape)",
        ),
    ),
    ("expected, got", ("range(1, self.num_layers + 1)", "range(1, self.num_layers)")),
    (
        "xavier|str",
        (
            '            if weight_scale == "xavier":\n                self.params[f"W{i}"] = initializers.xavier(shape)\n            elif',
            "            if",
        ),
    ),
    (
        "tuple",
        ("np.hstack((input_dim, hidden_dims, num_classes)).astype(int)", "[input_dim] + hidden_dims + [num_classes]"),
    ),
    ("global random state", ("np.random.normal(0.0", "np.random.default_rng().normal(0.0")),
    (
        "float32",
        ("for k, v in self.params.items():", "for k, v in [kv for kv in self.params.items() if kv[0][0] == 'W']:"),
    ),
)
NET = "FullyConnectedNet.loss"
of(
    NET,
    ("last layer", ("for i in range(1, L + 1):\n            loss", "for i in range(1, L):\n            loss")),
    ("0.5", ("0.5 * self.reg", "self.reg")),
    ("penalty's gradient", ('            grads[f"W{i}"] += self.reg * self.params[f"W{i}"]\n', "")),
    ("penalty is missing", ('            loss += 0.5 * self.reg * np.sum(self.params[f"W{i}"] ** 2)\n', "")),
    ("twice", ("+= self.reg * self", "+= 2 * self.reg * self")),
    (
        "biases are penalized",
        (
            "        return loss, grads",
            '        for i in range(1, L + 1):\n            loss += 0.5 * self.reg * np.sum(self.params[f"b{i}"] ** 2)\n            grads[f"b{i}"] += self.reg * self.params[f"b{i}"]\n        return loss, grads',
        ),
    ),
    ("float32", ("X = X.astype(self.dtype)", "pass")),
    (
        "ReLU after the last",
        ('        if mode == "test"', '        scores = np.maximum(scores, 0)\n        if mode == "test"'),
    ),
    ("ReLU", ("            dout = relu_backward(dout, relu[i])\n", "")),
    ("ReLU", ("out, relu[i] = relu_forward(out)", "_, relu[i] = relu_forward(out)")),
    ("squared|root", ('np.sum(self.params[f"W{i}"] ** 2)', 'np.sqrt(np.sum(self.params[f"W{i}"] ** 2))')),
    ("grads", ('grads[f"W{L}"], grads[f"b{L}"]', 'grads["W"], grads["b"]')),
)
of(
    NET,
    ("last layer", ("for i in range(1, last + 1):\n            W", "for i in range(1, last):\n            W")),
    style="loops",
)
of(
    "sgd_momentum",
    ("unchanged", ("next_w = w + v", "next_w = w")),
    ("forgotten", ('config["velocity"] = v', "pass")),
    ("uphill|downhill", ('- config["learning_rate"] * dw', '+ config["learning_rate"] * dw')),
    ("learning rate is missing", ('- config["learning_rate"] * dw', "- dw")),
    ("subtracted", ("w + v", "w - v")),
    ("must not be altered", ("next_w = w + v", "w += v\n    next_w = w")),
    ("default|0.9", ('setdefault("momentum", 0.9)', 'setdefault("momentum", 0.5)')),
    ("2 results", ("return next_w, config", "return next_w")),
    (
        "1 − γ|1 − momentum",
        ('- config["learning_rate"] * dw', '- (1 - config["momentum"]) * config["learning_rate"] * dw'),
    ),
)
of("sgd_momentum", ("unchanged", ("return new, config", "return w, config")), style="loops")
of(
    "nesterov_momentum",
    ("plain momentum", ('w + config["momentum"] * v - config["learning_rate"] * dw', "w + v")),
    ("unchanged", ("return next_w, config", "return w, config")),
    ("look", ('w + config["momentum"] * v - config["learning_rate"] * dw', 'w + config["momentum"] * v')),
)
of("nesterov_momentum", ("sign|added", ("- mu * before + (1 + mu)", "+ mu * before + (1 + mu)")), style="loops")
of(
    "rmsprop",
    (
        "swapped",
        (
            'config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw**2',
            '(1 - config["decay_rate"]) * config["cache"] + config["decay_rate"] * dw**2',
        ),
    ),
    ("squared", ("dw**2", "dw")),
    ("sum", ('config["decay_rate"] * config["cache"] + (1 - config["decay_rate"]) * dw**2', 'config["cache"] + dw**2')),
    ("root", ('(np.sqrt(config["cache"]) + config["epsilon"])', '(config["cache"] + config["epsilon"])')),
    (
        "inside the root",
        ('np.sqrt(config["cache"]) + config["epsilon"]', 'np.sqrt(config["cache"] + config["epsilon"])'),
    ),
    ("unchanged", ("return next_w, config", "return w.copy(), config")),
    (
        "before this step",
        ('    config["cache"] = ', '    old = config["cache"]\n    config["cache"] = '),
        ('np.sqrt(config["cache"])', "np.sqrt(old)"),
    ),
)
of(
    "adam",
    (
        "β₁ is used|β₁",
        (
            'config["v"] = beta2 * config["v"] + (1 - beta2) * dw**2',
            'config["v"] = beta1 * config["v"] + (1 - beta1) * dw**2',
        ),
    ),
    ("not corrected", ('mt = config["m"] / (1 - beta1 ** config["t"])', 'mt = config["m"]')),
    ("v is not corrected", ('vt = config["v"] / (1 - beta2 ** config["t"])', 'vt = config["v"]')),
    ("inside the root", ('np.sqrt(vt) + config["epsilon"]', 'np.sqrt(vt + config["epsilon"])')),
    ("unchanged", ("return next_w, config", "return w, config")),
    ("t", ('    config["t"] += 1\n', ""), ("return next_w", 'config["t"] += 1\n    return next_w')),
    ("steps are not counted", ('config["t"] += 1', 'config["t"] = 1')),
    ("kept", ("mt = config", 'mt = config["m"] = config'), ("vt = config", 'vt = config["v"] = config')),
    ("square", ("dw**2", "np.abs(dw)")),
    (
        "β₁ and 1 − β₁|swapped",
        (
            'config["m"] = beta1 * config["m"] + (1 - beta1) * dw',
            'config["m"] = (1 - beta1) * config["m"] + beta1 * dw',
        ),
    ),
    ("root", ("np.sqrt(vt)", "vt")),
    ("default|0.001", ('setdefault("learning_rate", 1e-3)', 'setdefault("learning_rate", 1e-2)')),
    ("β₁|beta1", ("1 - beta2 ** config", "1 - beta1 ** config")),
)
of("adam", ("before v is corrected|ε", ('config["epsilon"] * root', 'config["epsilon"]')), style="loops")

# BatchNormalization

BN = "batchnorm_forward"
of(
    BN,
    (
        "divided by the variance",
        ("std = np.sqrt(var + eps)\n        x_norm = xmu / std", "std = var + eps\n        x_norm = xmu / std"),
    ),
    ("not subtracted", ("x_norm = xmu / std", "x_norm = x / std")),
    ("must not be altered", ("xmu = x - mu", "x -= mu\n        xmu = x")),
    ("outside the root|added to", ("std = np.sqrt(var + eps)", "std = np.sqrt(var) + eps")),
    ("N − 1", ("var = np.mean(xmu**2, axis=0)", "var = x.var(axis=0, ddof=1)")),
    (
        "axis 0",
        ("mu = x.mean(axis=0)", "mu = x.mean(axis=1, keepdims=True)"),
        ("np.mean(xmu**2, axis=0)", "np.mean(xmu**2, axis=1, keepdims=True)"),
    ),
    ("swapped", ("momentum * running_mean + (1 - momentum) * mu", "(1 - momentum) * running_mean + momentum * mu")),
    ("missing", ('        bn_param["running_mean"] = running_mean\n', "")),
    ("last batch", ("running_var = momentum * running_var + (1 - momentum) * var", "running_var = var")),
    ("β is forgotten", ("out = gamma * x_norm + beta", "out = gamma * x_norm")),
    ("γ", ("out = gamma * x_norm + beta", "out = x_norm + beta")),
    ("ε of bn_param", ('bn_param.get("eps", 1e-5)', "1e-5")),
    ("running averages expected|batch are used", ('if mode == "train":\n        if', "if True:\n        if")),
    ("running_std|variance|root", ("(1 - momentum) * var", "(1 - momentum) * std")),
    ("root", ("std = np.sqrt(running_var + eps)", "std = running_var + eps")),
    (
        "None",
        (
            "    if running_mean is None:\n        running_mean, running_var = np.zeros(D, dtype=x.dtype), np.zeros(D, dtype=x.dtype)\n",
            "",
        ),
    ),
    (
        "two examples|ValueError",
        (
            '        if N == 1:\n            raise ValueError("batch norm needs at least two examples in training mode")\n',
            "",
        ),
    ),
    ("float32", ("return out.astype(x.dtype)", "return out.astype(np.float64)")),
    ("momentum", ('bn_param.get("momentum", 0.9)', "0.9")),
)
BACK = "batchnorm_backward"
of(
    BACK,
    ("mean|μ", ("dx = dxmu + np.ones((N, D), dtype=dout.dtype) * dmu / N", "dx = dxmu")),
    ("variance", ("    dxmu += 2 * xmu * dsq\n", "")),
    ("factor 2|2 ·", ("2 * xmu * dsq", "xmu * dsq")),
    ("½|0.5", ("dvar = 0.5 * dstd / std", "dvar = dstd / std")),
    ("sign", ("dstd = -dinv", "dstd = dinv")),
    ("sign", ("dmu = -dxmu", "dmu = dxmu")),
    ("directly|c · r|only", ("dxmu += 2", "dxmu = 2")),
    ("N", ("dmu / N", "dmu")),
    ("N", ("dvar / N", "dvar")),
    ("γ is forgotten", ("dx_norm = dout * gamma", "dx_norm = dout")),
    (
        "stands where",
        (
            "dgamma = np.sum(dout * x_norm, axis=0)",
            "dgamma = np.sum(dout * (xmu if xmu is not None else x_norm), axis=0)",
        ),
    ),
    ("mean", ("dbeta = dout.sum(axis=0)", "dbeta = dout.mean(axis=0)")),
    ("1/σ|r²|σ²", ("dstd = -dinv_std / std**2", "dstd = -dinv_std / std")),
    (
        "test mode|constants",
        (
            "    if xmu is None:\n        return dx_norm / std, dgamma, dbeta\n",
            "    if xmu is None:\n        xmu = x_norm * std\n",
        ),
    ),
    ("√|1/σ|divided", ("dxmu = dx_norm / std\n", "dxmu = dx_norm\n")),
)
ALT = "batchnorm_backward_alt"
of(
    ALT,
    ("mean|μ", ("N * dout - dbeta - x_norm", "N * dout - x_norm")),
    ("variance", ("- dbeta - x_norm * dgamma", "- dbeta")),
    ("γ is forgotten", ("dx = gamma / (N * std)", "dx = 1 / (N * std)")),
    ("N", ("gamma / (N * std)", "gamma / std")),
    ("sign", ("- x_norm * dgamma", "+ x_norm * dgamma")),
)
WITH = "FullyConnectedNet with normalization"
of(
    WITH,
    (
        "test mode|running averages",
        (
            'mode = "test" if y is None else "train"\n        if',
            'mode = "test" if y is None else "train"\n        for bn_param in self.bn_params: bn_param["mode"] = "train"\n        if',
        ),
        ('                bn_param["mode"] = mode\n', "                pass\n"),
    ),
    ("anew|running averages", ("self.bn_params[i - 1]\n", '{"mode": mode}\n')),
    (
        "γ|gamma",
        (
            '            grads[f"W{i}"] += self.reg',
            '            if i < L:\n                loss += 0.5 * self.reg * np.sum(self.params[f"gamma{i}"] ** 2)\n                grads[f"gamma{i}"] += self.reg * self.params[f"gamma{i}"]\n            grads[f"W{i}"] += self.reg',
        ),
    ),
    (
        "last layer",
        (
            'for i in range(1, self.num_layers):\n                self.params[f"gamma',
            'for i in range(1, self.num_layers + 1):\n                self.params[f"gamma',
        ),
    ),
    ("gamma.*missing|missing", ('dout, grads[f"gamma{i}"], grads[f"beta{i}"] = layernorm', "dout, _, _ = layernorm")),
    (
        "swapped|order",
        (
            'out, self.params[f"gamma{i}"], self.params[f"beta{i}"], self.bn_params[i - 1]',
            'out, self.params[f"beta{i}"], self.params[f"gamma{i}"], self.bn_params[i - 1]',
        ),
    ),
    ("ones|start", ('self.params[f"gamma{i}"] = np.ones', 'self.params[f"gamma{i}"] = np.zeros')),
    (
        "one bn_param|share|shared",
        ('[{"mode": "train"} for i in range(self.num_layers - 1)]', '[{"mode": "train"}] * (self.num_layers - 1)'),
    ),
)
LN = "layernorm_forward"
of(
    LN,
    ("axis 0", "out, cache = batchnorm_forward(x, gamma, beta, {'mode': 'train', **ln_param})\nreturn out, cache"),
    (
        "N|examples",
        ("var = x.var(axis=1, keepdims=True)", "var = ((x - mu) ** 2).sum(axis=1, keepdims=True) / x.shape[0]"),
    ),
    ("outside the root", ("std = np.sqrt(var + eps)", "std = np.sqrt(var) + eps")),
    ("ε of ln_param", ('ln_param.get("eps", 1e-5)', "1e-5")),
    ("γ and β", ("return gamma * x_norm + beta", "return x_norm")),
    ("D − 1", ("x.var(axis=1, keepdims=True)", "x.var(axis=1, ddof=1, keepdims=True)")),
    ("divided by the variance", ("std = np.sqrt(var + eps)", "std = var + eps")),
)
of(
    "layernorm_backward",
    ("sums are divided by", ("D = dout.shape[1]", "D = dout.shape[0]")),
    ("γ is forgotten", ("d = dout * gamma", "d = dout")),
    ("variance", (" - x_norm * np.sum(d * x_norm, axis=1, keepdims=True)", "")),
    ("mean|μ", ("- d.sum(axis=1, keepdims=True) ", "")),
    ("sum over axis 0", ("dbeta = dout.sum(axis=0)", "dbeta = dout.sum(axis=1)")),
    (
        "axis 1|features",
        ("d.sum(axis=1, keepdims=True)", "d.sum(axis=0)"),
        ("np.sum(d * x_norm, axis=1, keepdims=True)", "np.sum(d * x_norm, axis=0)"),
    ),
)

# Dropout

of(
    "dropout_forward",
    ("not divided by p", (" < p) / p)", " < p) * 1.0)")),
    ("keep", ("np.random.rand(*x.shape) < p", "np.random.rand(*x.shape) > p")),
    ("multiplied", (" < p) / p)", " < p) * p)")),
    ("1 − p", (" < p) / p)", " < p) / (1 - p + 1e-300))")),
    ("test mode", ("        out = x\n", "        out = x * p\n")),
    (r"np\.random\.rand", ("(np.random.rand(*x.shape) < p)", "np.random.binomial(1, p, x.shape)")),
    ("global", ("np.random.rand(*x.shape)", "np.random.default_rng().random(x.shape)")),
    ("seed", ('    if "seed" in dropout_param:\n        np.random.seed(dropout_param["seed"])\n', "")),
    ("float32", (".astype(x.dtype)", "")),
    (
        "ValueError",
        (
            '    if "p" not in dropout_param or not 0 < dropout_param["p"] <= 1:\n        raise ValueError("p must lie in (0, 1]")\n',
            "",
        ),
    ),
    ("same|own coin", ("np.random.rand(*x.shape)", "np.random.rand(1, *x.shape[1:])")),
)
of(
    "dropout_backward",
    ("not divided by p", ("dout * mask", "dout * (mask > 0)")),
    ("mask is not used", "return dout"),
    (
        "drawn anew|another mask",
        "param, mask = cache\nif mask is None:\n    return dout\nreturn dout * (np.random.rand(*dout.shape) < param['p']) / param['p']",
    ),
    ("test mode|NoneType", ("dout if mask is None else dout * mask", "dout * mask")),
    ("twice", ("dout * mask", "dout * mask / dropout_param['p']")),
)
of(
    "FullyConnectedNet with dropout",
    (
        "nothing is dropped",
        (
            "            if self.use_dropout:\n                out, drop[i]",
            "            if False:\n                out, drop[i]",
        ),
        ("            if self.use_dropout:\n                dout", "            if False:\n                dout"),
    ),
    ("test time", ('            self.dropout_param["mode"] = mode\n', "            pass\n")),
    ("backward", ("dout = dropout_backward(dout, drop[i])", "pass")),
    ("1 −|drop", ('"p": dropout_keep_ratio}', '"p": 1 - dropout_keep_ratio}')),
    ("seed", ('                self.dropout_param["seed"] = seed\n', "                pass\n")),
)

# ConvolutionalNetworks

CONV = "conv_forward_naive"
of(
    CONV,
    ("bias is missing", (")) + b", "))")),
    ("turned round", ("np.tensordot(window, w,", "np.tensordot(window, w[:, :, ::-1, ::-1],")),
    (
        "stride is not used",
        (
            "x_pad[:, :, i * stride : i * stride + HH, j * stride : j * stride + WW]",
            "x_pad[:, :, i : i + HH, j : j + WW]",
        ),
    ),
    ("pad", ("x_pad = np.pad(x, ((0,), (0,), (pad,), (pad,)))", "x_pad = np.pad(x, ((0,), (0,), (1,), (1,)))")),
    (None, ("H_out = 1 + (H + 2 * pad - HH) // stride", "H_out = 1 + H + 2 * pad - HH")),
    ("one side|2·pad", ("H_out = 1 + (H + 2 * pad - HH)", "H_out = 1 + (H + pad - HH)")),
    ("float32", (", dtype=x.dtype", "")),
    (
        "ValueError|fit",
        (
            '    if pad < 0 or (H + 2 * pad - HH) % stride or (W + 2 * pad - WW) % stride:\n        raise ValueError("the windows do not fit")\n',
            "",
        ),
    ),
    ("edge|zeros", ("np.pad(x, ((0,), (0,), (pad,), (pad,)))", "np.pad(x, ((0,), (0,), (pad,), (pad,)), mode='edge')")),
)
of(
    CONV,
    ("first channel", ("np.ndindex(C, HH, WW)", "np.ndindex(1, HH, WW)")),
    ("b\\[f\\]|each filter|bias", ("float(b[f])", "float(b[0])")),
    ("last", ("total += x", "total = x")),
    style="loops",
)
CBACK = "conv_backward_naive"
of(
    CBACK,
    ("padding", ("dx_pad[:, :, pad : H + pad, pad : W + pad] if", "dx_pad if")),
    ("assigned|overlap", ("dx_pad[window] += ", "dx_pad[window] = ")),
    ("assigned|last", ("dw += ", "dw = ")),
    ("stride", ("i * stride : i * stride + HH, j * stride : j * stride + WW", "i : i + HH, j : j + WW")),
    ("sum over axes", ("db = dout.sum(axis=(0, 2, 3))", "db = dout.sum(axis=(0, 1, 2))")),
    ("mean", ("db = dout.sum(axis=(0, 2, 3))", "db = dout.mean(axis=(0, 2, 3))")),
    ("need_dx", (" if need_dx else None", "")),
    ("number of examples", ("db = dout", "dw /= len(x)\n    db = dout")),
    (
        "turned round",
        (
            "np.tensordot(dout[:, :, i, j], w, axes=(1, 0))",
            "np.tensordot(dout[:, :, i, j], w[:, :, ::-1, ::-1], axes=(1, 0))",
        ),
    ),
)
of(
    "max_pool_forward_naive",
    ("mean of each window", (".max(axis=(2, 3))", ".mean(axis=(2, 3))")),
    (
        "stride",
        ("x[:, :, i * stride : i * stride + ph, j * stride : j * stride + pw]", "x[:, :, i : i + ph, j : j + pw]"),
    ),
    (
        "pool_height.*stride|stride",
        ("i * stride : i * stride + ph, j * stride : j * stride + pw", "i * ph : i * ph + ph, j * pw : j * pw + pw"),
    ),
    ("smallest", (".max(", ".min(")),
    (
        "swapped",
        (
            'ph, pw, stride = pool_param["pool_height"], pool_param["pool_width"]',
            'pw, ph, stride = pool_param["pool_height"], pool_param["pool_width"]',
        ),
    ),
)
of(
    "max_pool_forward_naive",
    (
        "negative|0",
        ("best = None\n", "best = None\n        out[n, c, i, j] = 0\n"),
        ("out[n, c, i, j] = x[n, c][best]", "out[n, c, i, j] = max(0, x[n, c][best])"),
    ),
    style="loops",
)
MAX = "max_pool_backward_naive"
of(
    MAX,
    (
        "equal|first",
        (
            "                    k, m = np.unravel_index(window.argmax(), (ph, pw))\n                    dx[n, c, i * stride + k, j * stride + m] += dout[n, c, i, j]",
            "                    dx[n, c, i * stride : i * stride + ph, j * stride : j * stride + pw] += (window == window.max()) * dout[n, c, i, j]",
        ),
    ),
    ("overlap|assigned", ("+= dout", "= dout")),
    (
        "whole window|every",
        (
            "dx[n, c, i * stride + k, j * stride + m] += dout",
            "dx[n, c, i * stride : i * stride + ph, j * stride : j * stride + pw] += dout",
        ),
    ),
    ("stride", ("dx[n, c, i * stride + k, j * stride + m]", "dx[n, c, i + k, j + m]")),
    ("maximum itself|times|x is", ("+= dout[n, c, i, j]", "+= window.max() * dout[n, c, i, j]")),
)
of(
    "avg_pool_forward_naive",
    ("not divided|sum", (".mean(axis=(2, 3))", ".sum(axis=(2, 3))")),
    ("largest", (".mean(axis=(2, 3))", ".max(axis=(2, 3))")),
    ("float32", (", dtype=x.dtype", "")),
    ("stride", ("i * stride : i * stride + ph, j * stride : j * stride + pw", "i : i + ph, j : j + pw")),
)
of(
    "avg_pool_backward_naive",
    ("divided", (" / (ph * pw)", "")),
    ("overlap|assigned", ("dx[window] += ", "dx[window] = ")),
    ("pool_height · pool_width|divided", ("(ph * pw)", "stride**2")),
)
CINIT = "ThreeLayerConvNet.__init__"
of(
    CINIT,
    ("channels|C = ", ("weights(num_filters, C,", "weights(num_filters, 3,")),
    ("float32", ("self.params[k] = v.astype(dtype)", "pass")),
    (
        "kaiming|str",
        (
            "            if isinstance(weight_scale, str):\n                return getattr(initializers, weight_scale)(shape)\n",
            "",
        ),
    ),
    ("W2.*shape|pool", ("num_filters * H * W // 4", "num_filters * H * W")),
    ("weight_scale", ("weight_scale * np.random.randn", "1e-3 * np.random.randn")),
)
of(
    "ThreeLayerConvNet.loss",
    ("penalty is missing", ("        loss += 0.5 * self.reg * (np.sum(W1**2) + np.sum(W2**2) + np.sum(W3**2))\n", "")),
    ("last layer|W3", (" + np.sum(W3**2)", "")),
    ("0.5", ("0.5 * self.reg", "self.reg")),
    ("float32", ("X = X.astype(self.dtype)", "pass")),
    ("reg · W", ('        grads["W1"] += self.reg * W1\n', "")),
    ("pad|size", ("(W1.shape[2] - 1) // 2", "1")),
    (
        "ReLU",
        ("out2, cache2 = affine_relu_forward(out1, W2, b2)", "out2, cache2 = affine_forward(out1, W2, b2)"),
        ("affine_relu_backward", "affine_backward"),
    ),
)
SBN = "spatial_batchnorm_forward"
of(
    SBN,
    (
        "transpose|channel",
        ("x.transpose(0, 2, 3, 1).reshape(-1, C)", "x.reshape(-1, C)"),
        ("out.reshape(N, H, W, C).transpose(0, 3, 1, 2)", "out.reshape(N, C, H, W)"),
    ),
    ("transpose|back|order", ("out.reshape(N, H, W, C).transpose(0, 3, 1, 2)", "out.reshape(N, C, H, W)")),
    ("running", ("gamma, beta, bn_param)", "gamma, beta, {**bn_param})")),
    ("test mode|running", ("gamma, beta, bn_param)", "gamma, beta, {**bn_param, 'mode': 'train'})")),
)
of(
    "spatial_batchnorm_backward",
    (
        "transpose|channel",
        ("dout.transpose(0, 2, 3, 1).reshape(-1, C)", "dout.reshape(-1, C)"),
        ("dx.reshape(N, H, W, C).transpose(0, 3, 1, 2)", "dx.reshape(N, C, H, W)"),
    ),
    ("transpose|back|order", ("dx.reshape(N, H, W, C).transpose(0, 3, 1, 2)", "dx.reshape(N, C, H, W)")),
    (
        "divided by the number of examples",
        (
            "return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma, dbeta",
            "return dx.reshape(N, H, W, C).transpose(0, 3, 1, 2), dgamma / N, dbeta / N",
        ),
    ),
)
GN = "spatial_groupnorm_forward"
of(
    GN,
    ("G is not used", ("x.reshape(N * G, -1)", "x.reshape(N, -1)")),
    ("on its own", ("x.reshape(N * G, -1)", "x.reshape(N * C, -1)")),
    ("γ and β", ("return gamma * x_norm + beta,", "return x_norm,")),
    ("ε of gn_param", ('gn_param.get("eps", 1e-5)', "1e-5")),
    (
        "outside the root",
        ("np.sqrt(x.var(axis=1, keepdims=True) + eps)", "(np.sqrt(x.var(axis=1, keepdims=True)) + eps)"),
    ),
    (
        "batch|examples",
        (
            "x = x.reshape(N * G, -1)\n    mu = x.mean(axis=1, keepdims=True)\n    std = np.sqrt(x.var(axis=1, keepdims=True) + eps)\n    x_norm = ((x - mu) / std)",
            "x = x.reshape(N, G, C // G, H, W)\n    mu = x.mean(axis=(0, 2, 3, 4), keepdims=True)\n    std = np.sqrt(x.var(axis=(0, 2, 3, 4), keepdims=True) + eps)\n    x_norm = ((x - mu) / std)",
        ),
    ),
)
of(
    "spatial_groupnorm_backward",
    ("keep length 1", ("dbeta = dout.sum(axis=(0, 2, 3), keepdims=True)", "dbeta = dout.sum(axis=(0, 2, 3))")),
    ("γ is forgotten", ("d = (dout * gamma).reshape", "d = dout.reshape")),
    ("variance", (" - x_norm * np.sum(d * x_norm, axis=1, keepdims=True)", "")),
    ("sums are divided by", ("M = d.shape[1]", "M = H * W")),
    ("mean|μ", (" - d.sum(axis=1, keepdims=True)", "")),
)

# PyTorch

of(
    "two_layer_fc",
    ("ReLU is missing", ("F.relu(x.mm(w1) + b1)", "(x.mm(w1) + b1)")),
    ("after the last", ("x = x.mm(w2) + b2", "x = F.relu(x.mm(w2) + b2)")),
    ("gradient", ("x = x.mm(w2) + b2", "x = (x.mm(w2) + b2).detach()")),
    ("biases", ("x.mm(w1) + b1", "x.mm(w1)"), ("x.mm(w2) + b2", "x.mm(w2)")),
    ("two_layer_fc, cell|line", ("    x = flatten(x)\n    w1", "    w1")),
)
of(
    "three_layer_convnet",
    ("shape|line", ("padding=2", "padding=1")),
    ("ReLU", ("F.relu(F.conv2d(x", "(F.conv2d(x")),
    ("ReLU", ("F.relu(F.conv2d(scores", "(F.conv2d(scores")),
    ("biases", ("bias=conv_b1, ", ""), ("bias=conv_b2, ", ""), (" + fc_b", "")),
    ("after the last", ("return scores", "return F.relu(scores)")),
    ("first bias|conv_b1", ("bias=conv_b1, ", "")),
)
of(
    "TwoLayerFC",
    ("ReLU is missing", ("F.relu(self.hidden(x))", "self.hidden(x)")),
    ("super|AttributeError", ("        super().__init__()\n", "")),
    (
        "after the last|softmax",
        ("return self.scores(F.relu(self.hidden(x)))", "return F.relu(self.scores(F.relu(self.hidden(x))))"),
    ),
    (
        "softmax",
        ("return self.scores(F.relu(self.hidden(x)))", "return F.softmax(self.scores(F.relu(self.hidden(x))), dim=1)"),
    ),
    ("parameters", ("nn.Linear(hidden_size, num_classes)", "nn.Linear(hidden_size, num_classes, bias=False)")),
    (
        "used first",
        (
            "        self.hidden = nn.Linear(",
            "        self.scores = nn.Linear(hidden_size, num_classes)\n        self.hidden = nn.Linear(",
        ),
    ),
)
of(
    "ThreeLayerConvNet",
    ("in_channel|channel", ("nn.Conv2d(in_channel,", "nn.Conv2d(3,")),
    ("ReLU", ("            nn.ReLU(),\n", ""), ("            nn.ReLU(),\n", "")),
    ("ReLU", ("            nn.ReLU(),\n", "")),
    ("parameters", ("(5, 5)", "(3, 3)"), ("padding=2", "padding=1")),
    ("softmax", ("return scores", "return F.softmax(scores, dim=1)")),
)
of(
    "sequential_convnet",
    (
        "nn.Sequential",
        (
            "return model",
            "class Net(nn.Module):\n        def __init__(self):\n            super().__init__()\n            self.model = model\n        def forward(self, x):\n            return self.model(x)\n    return Net()",
        ),
    ),
    ("ReLU", ('    model.add_module("relu2", nn.ReLU())\n', "")),
    ("layers", ('"conv1"', '"convolution"')),
    ("line|shape|size", ("5, padding=2", "5, padding=1")),
)
