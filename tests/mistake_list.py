"""Mistakes that some test must find: the line as it is, and as somebody might get it wrong."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """`wrong` instead of `right`, which is in the file once; `tests` run first."""

    path: str
    right: str
    wrong: str
    tests: tuple[str, ...] = ()


TRAINING = (
    "tests/core/training/test_promises.py",
    "tests/core/training/test_state.py",
    "tests/core/training/test_eta.py",
    "tests/core/training/test_previews.py",
    "tests/core/training/test_troubles.py",
    "tests/core/training/test_run.py",
)
APP = ("tests/sda_tui",)

MISTAKES = (
    # training: what is kept, when, and what it is judged by
    Mistake(
        "core/training/state.py",
        "if loss < (math.inf if self.best_loss is None else self.best_loss):",
        "if self.best_loss is None:",
        TRAINING,
    ),
    Mistake(
        "core/training/state.py",
        "            self.best_loss, self.best_epoch = loss, epoch",
        "            self.best_loss, self.best_epoch = loss, epoch - 1",
        TRAINING,
    ),
    Mistake(
        "core/training/trainer.py",
        "        if self.progress.best_epoch == self.epoch:",
        "        if self.epoch == 1:",
        TRAINING,
    ),
    Mistake(
        "core/training/setup.py",
        "        validation_set=_fixed_chunks(sounds.validation,",
        "        validation_set=_fixed_chunks(sounds.train,",
        TRAINING,
    ),
    Mistake(
        "core/training/setup.py",
        "    training_set = _fixed_chunks(sounds.train,",
        "    training_set = _fixed_chunks(sounds.validation,",
        TRAINING,
    ),
    Mistake(
        "core/training/setup.py",
        "        loudest = sounds.validation.loudest(cancelled)\n        clip = sounds.validation.chunks(",
        "        loudest = sounds.validation.loudest(cancelled)\n        clip = sounds.train.chunks(",
        TRAINING,
    ),
    Mistake(
        "core/training/step.py",
        "clip_grad_norm_(state.model.parameters(), self._clip_norm)",
        "clip_grad_norm_(state.model.parameters(), 1e9)",
        TRAINING,
    ),
    Mistake(
        "core/training/step.py",
        "state.optimizer.step(learning_rate, metrics.isfinite().all())",
        "state.optimizer.step(learning_rate, metrics.isfinite().any())",
        TRAINING,
    ),
    Mistake(
        "core/training/step.py",
        "        update_ema(state.ema_model, state.model, ema_weight)\n",
        "",
        TRAINING,
    ),
    Mistake("core/training/trainer.py", " or self.epoch == self.config.epochs", "", TRAINING),
    Mistake(
        "core/training/trainer.py",
        "self.epoch % self.config.preview_interval == 0",
        "self.epoch % 5 == 0",
        TRAINING,
    ),
    Mistake(
        "core/training/trainer.py",
        "        is_old = self.writer.age_s > self.config.checkpoint_minutes * 60",
        "        is_old = False",
        TRAINING,
    ),
    Mistake(
        "core/training/trainer.py",
        "self.config.checkpoint_minutes * 60",
        "self.config.checkpoint_minutes * 3600",
        TRAINING,
    ),
    Mistake(
        "core/training/trainer.py",
        "self._is_at_epoch_end() and self.epoch % self.config.checkpoint_interval == 0",
        "self._is_at_epoch_end()",
        TRAINING,
    ),
    Mistake("core/training/trainer.py", 'self.save("manual", by_hand=True)', 'self.save("manual")', TRAINING),
    Mistake("core/training/stepper.py", " * self._recovery.learning_rate_scale", "", TRAINING),
    Mistake(
        "core/training/stepper.py",
        'derive_seed(self._manifest.config.seed, "dropout", step)',
        'derive_seed(self._manifest.config.seed, "dropout")',
        TRAINING,
    ),
    Mistake(
        "core/training/vae_task.py",
        'generator(self._config.seed, "posterior", step)',
        'generator(self._config.seed, "posterior")',
        TRAINING,
    ),
    Mistake(
        "core/training/vae_task.py",
        "            train_loss=train.loss,\n            validation_loss=validation.loss,",
        "            train_loss=validation.loss,\n            validation_loss=train.loss,",
        TRAINING,
    ),
    Mistake(
        "core/training/vae_task.py", "self.model(log_mel, noise)", "self.model(log_mel, 0 * noise)", TRAINING
    ),
    Mistake(
        "core/training/vae_task.py",
        "            evaluate(each, model.scale, self._config)",
        "            evaluate(each, model.scale * 2, self._config)",
        TRAINING,
    ),
    Mistake(
        "core/training/reporter.py",
        "clock.estimate_s(manifest.total_steps - progress.step, epochs - epoch)",
        "clock.elapsed_s",
        TRAINING,
    ),
    Mistake(
        "core/training/reporter.py",
        "clock.estimate_s(manifest.total_steps - progress.step, epochs - epoch)",
        "clock.estimate_s(progress.step, epoch)",
        TRAINING,
    ),
    Mistake(
        "core/training/reporter.py",
        "        best_validation_loss=progress.best_loss,",
        "        best_validation_loss=result.validation_loss,",
        TRAINING,
    ),
    Mistake(
        "core/training/eta.py",
        "return steps * self.step_time_s + epochs * (self.evaluation_time_s or 0.0)",
        "return steps * self.step_time_s",
        TRAINING,
    ),
    Mistake(
        "core/training/eta.py", '        self._elapsed_before_s = float(state["elapsed_s"])\n', "", TRAINING
    ),
    Mistake(
        "core/training/recovery.py",
        "BAD_STEPS_BEFORE_ROLLBACK = 10",
        "BAD_STEPS_BEFORE_ROLLBACK = 11",
        TRAINING,
    ),
    Mistake("core/training/recovery.py", "MOST_ROLLBACKS = 3", "MOST_ROLLBACKS = 30", TRAINING),
    Mistake(
        "core/training/recovery.py", "self.learning_rate_scale / 2", "self.learning_rate_scale", TRAINING
    ),
    Mistake(
        "core/training/previews.py", "pending is not None and pending.step != self._step()", "False", TRAINING
    ),
    Mistake(
        "core/training/vae_task.py",
        "        return self._setup.batches.batch(step, size), to_device(noise, self.device)",
        "        return self._setup.batches.batch(step // 2, size), to_device(noise, self.device)",
        TRAINING,
    ),
    # optimiser and schedules
    Mistake(
        "core/optim/optimizer.py",
        "weight_decay=self.weight_decay if group.decays else 0.0",
        "weight_decay=0.0",
        ("tests/core/optim",),
    ),
    Mistake(
        "core/optim/optimizer.py",
        "learning_rate * group.lr_scale for group",
        "learning_rate for group",
        ("tests/core/optim",),
    ),
    Mistake(
        "core/optim/optimizer.py",
        "            if stack.decays:\n                step.add_(",
        "            if not stack.decays:\n                step.add_(",
        ("tests/core/optim",),
    ),
    Mistake("core/optim/schedules.py", "EMA_EXPONENT = 7.94", "EMA_EXPONENT = 79.4", ("tests/core/optim",)),
    Mistake(
        "core/optim/schedules.py",
        "FINAL_LEARNING_RATE_FRACTION = 0.01",
        "FINAL_LEARNING_RATE_FRACTION = 0.1",
        ("tests/core/optim",),
    ),
    Mistake(
        "core/optim/schedules.py",
        "min(1.0, step / warmup) if warmup > 0 else 1.0",
        "1.0",
        ("tests/core/optim",),
    ),
    Mistake(
        "core/optim/schedules.py",
        "return config.learning_rate * (step + 1) / warmup",
        "return config.learning_rate",
        ("tests/core/optim",),
    ),
    # data
    Mistake(
        "core/data/split.py",
        "    if files < 10:\n        return 0.5",
        "    if files < 10:\n        return 0.3",
        ("tests/core/data/test_split.py",),
    ),
    Mistake(
        "core/data/split.py",
        'f"{seed} {file.content_hash}"',
        'f"{seed} {file.path}"',
        ("tests/core/data/test_split.py",),
    ),
    Mistake(
        "core/data/split.py",
        "train_stop_s = stop_s - held_out_s - chunk_duration_s",
        "train_stop_s = stop_s - held_out_s",
        ("tests/core/data/test_split.py",),
    ),
    Mistake(
        "core/data/split.py",
        "train = [file for file in files if file.path not in held_out_paths]",
        "train = list(files)",
        ("tests/core/data/test_split.py",),
    ),
    Mistake(
        "core/data/split.py",
        "        starts.append(last_start_s)",
        "        pass",
        ("tests/core/data/test_split.py",),
    ),
    Mistake(
        "core/data/plan.py", "        if original != file.path:", "        if False:", ("tests/core/data",)
    ),
    Mistake(
        "core/data/batches.py",
        'generator(self._seed, "order", epoch)',
        'generator(self._seed, "order")',
        ("tests/core/data",),
    ),
    Mistake(
        "core/data/batches.py",
        "return self._order[torch.arange(first, first + self._batch_size) % len(self._order)]",
        "return self._order[torch.arange(0, self._batch_size) % len(self._order)]",
        ("tests/core/data",),
    ),
    Mistake(
        "core/data/batches.py",
        'self._augmented(self._order.batch(step), "augmentation", step)',
        'self._augmented(self._order.batch(step), "augmentation", 0)',
        ("tests/core/data",),
    ),
    Mistake(
        "core/data/store.py",
        "return waveform * to_device(augmentation.gain, device).unsqueeze(1)",
        "return waveform",
        ("tests/core/data",),
    ),
    Mistake(
        "core/data/store.py",
        "        start = start + to_device(augmentation.shift_samples, device)\n",
        "",
        ("tests/core/data",),
    ),
    Mistake(
        "core/data/store.py",
        "return int(torch.cat(energies).argmax())",
        "return int(torch.cat(energies).argmin())",
        ("tests/core/data",),
    ),
    Mistake(
        "core/data/loading.py",
        "side.append(decoded.store_in(buffer))",
        "train.append(decoded.store_in(buffer))",
        ("tests/core/data",),
    ),
    # audio
    Mistake("core/audio/augmentation.py", "GAIN_DB = 6.0", "GAIN_DB = 24.0", ("tests/core/audio",)),
    Mistake(
        "core/audio/augmentation.py",
        "noise_gain=is_noisy * strength",
        "noise_gain=0 * is_noisy * strength",
        ("tests/core/audio",),
    ),
    Mistake(
        "core/audio/augmentation.py",
        "symmetric(config.speed_probability)",
        "symmetric(config.gain_probability)",
        ("tests/core/audio",),
    ),
    Mistake(
        "core/audio/spectrogram.py",
        "step.clamp(-self.unshifted, self.unshifted) + self.unshifted",
        "self.unshifted - step.clamp(-self.unshifted, self.unshifted)",
        ("tests/core/audio",),
    ),
    Mistake("core/audio/spectrogram.py", 'mel_scale="slaney"', 'mel_scale="htk"', ("tests/core/audio",)),
    Mistake(
        "core/audio/inversion.py",
        "best = error.view(-1, starts).argmin(1)",
        "best = error.view(-1, starts).argmax(1)",
        ("tests/core/audio",),
    ),
    Mistake("core/audio/inversion.py", "UPDATES = 10", "UPDATES = 1", ("tests/core/audio",)),
    Mistake("core/audio/inversion.py", "refinements=16", "refinements=0", ("tests/core/audio",)),
    # model
    Mistake(
        "core/model/losses.py",
        "mean.square() + log_variance.exp() - 1 - log_variance",
        "mean.square() + log_variance.exp() - log_variance",
        ("tests/core/model",),
    ),
    Mistake(
        "core/model/losses.py",
        "nats = kl.mean(0).clamp_min(free_bits).sum() / elements",
        "nats = kl.mean(0).sum() / elements",
        ("tests/core/model",),
    ),
    Mistake("core/model/dropout.py", "(256 / (256 - dropped))", "1.0", ("tests/core/model",)),
    Mistake(
        "core/model/vae.py",
        "noise * (log_variance / 2).exp()",
        "noise * log_variance.exp()",
        ("tests/core/model",),
    ),
    Mistake("core/model/vae.py", ".clamp(*LOG_VARIANCE_RANGE)", "", ("tests/core/model",)),
    Mistake(
        "core/model/pca.py",
        "deviations[:kept] = singular[:kept] / len(items) ** 0.5",
        "deviations[:kept] = singular[:kept]",
        ("tests/core/model",),
    ),
    # synthesis
    Mistake(
        "core/synthesis/render.py",
        "LARGEST_LOG_MEL = 16.0",
        "LARGEST_LOG_MEL = 2.0",
        ("tests/core/synthesis",),
    ),
    Mistake(
        "core/synthesis/previews.py",
        'generator(seed, "preview latents", number)',
        'generator(seed, "preview latents")',
        ("tests/core/synthesis",),
    ),
    Mistake(
        "core/synthesis/previews.py", 'f"epoch-{epoch:04}-{what}"', 'f"{what}"', ("tests/core/synthesis",)
    ),
    Mistake(
        "core/synthesis/latents.py",
        "drawn: Tensor = self.means[picks].lerp(centre.squeeze(1), nearer) + self.bandwidth * step",
        "drawn: Tensor = self.means[picks]",
        ("tests/core/synthesis",),
    ),
    Mistake(
        "core/synthesis/latents.py",
        "distances.topk(count, largest=False)",
        "distances.topk(count, largest=True)",
        ("tests/core/synthesis",),
    ),
    Mistake(
        "core/synthesis/refine.py",
        "is_nearer = squared_error.detach() < smallest",
        "is_nearer = squared_error.detach() > smallest",
        ("tests/core/synthesis",),
    ),
    Mistake(
        "core/synthesis/bundle.py",
        'parts = {"model": state["ema_model"], **task}',
        'parts = {"model": state["model"], **task}',
        ("tests/core/synthesis",),
    ),
    # diagnostics
    Mistake(
        "core/diagnostics/overfitting.py",
        "return (validation_error - train_error) / train_error if",
        "return (validation_error - train_error) / validation_error if",
        ("tests/core/diagnostics",),
    ),
    Mistake(
        "core/diagnostics/evaluation.py",
        "detail=float(kept / all_detail) if",
        "detail=1 - float(kept / all_detail) if",
        ("tests/core/diagnostics",),
    ),
    Mistake(
        "core/diagnostics/memorisation.py",
        "nearest_distance(new, training.decoded) /",
        "nearest_distance(new, validation.decoded) /",
        ("tests/core/diagnostics",),
    ),
    # runs and checkpoints
    Mistake(
        "core/runs/history.py",
        "            self.newest_losses.append(event.train_loss)",
        "            pass",
        ("tests/core/runs", "tests/sda_tui/test_dashboard.py"),
    ),
    Mistake(
        "core/runs/history.py",
        "        _append(self.training_losses, event.epoch, event.train_loss)\n        _append(self.validation_losses, event.epoch, event.validation_loss)",
        "        _append(self.training_losses, event.epoch, event.validation_loss)\n        _append(self.validation_losses, event.epoch, event.train_loss)",
        ("tests/core/runs",),
    ),
    Mistake(
        "core/runs/history.py",
        "return epoch.eta_s * (self.total_steps - self.step) / (self.total_steps - epoch.step)",
        "return self.elapsed_s",
        ("tests/core/runs",),
    ),
    Mistake(
        "core/runs/history.py",
        "            self.warnings.clear()  # those still active are emitted again",
        "            pass",
        ("tests/core/runs",),
    ),
    Mistake(
        "core/runs/series.py",
        "        elif y > self._highest[-1][1]:",
        "        elif y > self._highest[0][1]:",
        ("tests/core/runs",),
    ),
    Mistake("core/checkpoints/folder.py", "KEPT = 3", "KEPT = 30", ("tests/core/checkpoints",)),
    Mistake(
        "core/checkpoints/folder.py", "if not _is_saved_by_hand(path)]", "]", ("tests/core/checkpoints",)
    ),
    # app
    Mistake(
        "sda_tui/widgets/run_charts.py",
        "history.training_losses, history.validation_losses",
        "history.validation_losses, history.training_losses",
        APP,
    ),
    Mistake(
        "sda_tui/screens/dashboard.py",
        "self.query_one(Sparkline).data = list(history.newest_losses)",
        "self.query_one(Sparkline).data = []",
        APP,
    ),
    Mistake(
        "sda_tui/keymap.py",
        'Command("dashboard.stop", "left", "stop"',
        'Command("dashboard.stop", "f9", "stop"',
        APP,
    ),
    Mistake(
        "sda_tui/widgets/quality_bar.py",
        "        filled = round(self.quality * CELLS)",
        "        filled = CELLS",
        APP,
    ),
    Mistake(
        "sda_tui/widgets/waveform.py",
        "played = round(width * self.position) if",
        "played = round(width * (1 - self.position)) if",
        APP,
    ),
    Mistake(
        "sda_tui/format.py",
        "    hours, rest = divmod(whole, 3600)",
        "    hours, rest = divmod(whole, 36000)",
        APP,
    ),
    Mistake(
        "sda_tui/widgets/preview_list.py",
        "if each.epoch < chosen.epoch and",
        "if each.epoch <= chosen.epoch and",
        APP,
    ),
    Mistake(
        "sda_tui/widgets/progress_line.py",
        "self.fraction = min(1.0, done / total) if total else None",
        "self.fraction = 1.0 if total else None",
        APP,
    ),
    Mistake(
        "sda_tui/followed_run.py", "            return RunState.INTERRUPTED", "            return logged", APP
    ),
)
