"""A sequence VAE with a critic of the sketch; new trees are decoded from a mixture of Gaussians.

The decoder is trained on the likelihood of climbs and shoots, and to please a convolutional critic
that sees sketches of decoded trees. As encoded trees fill the latent space in clumps, one for each
way of growing, latents are not drawn from the prior but from a mixture fitted to the encodings.
"""

import os

import numpy as np
import torch
from model import Critic, Decoder, Encoder, drawn, mixture_loss, placed, sketched
from sampling import decoded
from skeletons import batches, mirrored, read
from sklearn.mixture import GaussianMixture
from torch.nn import functional

SEED = int(os.environ.get("SEED", "0"))
STEPS, BATCH, RATE = 900, 100, 3e-3
KL = 0.05  # the weight of the divergence from the prior, against nats a tree
CRITIC_EVERY, CRITIC_TREES, CRITIC = 4, 24, 0.5
COMPONENTS = 40


def sequence_loss(encoder, decoder, batch, scale):
    """The negative log-likelihood of trees plus the divergence, nats a tree; and what led to it."""
    mean, spread = encoder(batch)
    latent = mean + torch.exp(spread / 2) * torch.randn_like(mean)
    states, _ = decoder.follow(latent, batch.seen)
    logits = decoder.climbs(latent, states)
    climbing = functional.cross_entropy(logits.mT, batch.climbs, reduction="none")
    mixture = shoots_of(decoder, batch, latent, states)
    growing = mixture_loss(mixture, (batch.shoots[:, 1:] - scale[0]) / scale[1])
    nats = (climbing * batch.real).sum(1) + (growing * batch.real[:, 1:]).sum(1)
    divergence = 0.5 * (mean**2 + spread.exp() - 1 - spread).sum(1)
    return nats.mean() + KL * divergence.mean(), mixture, (nats.mean(), divergence.mean())


def shoots_of(decoder, batch, latent, states):
    """The mixtures of all shoots but the root's, [B, M - 1, ...]."""
    parents = batch.parents[:, 1:, None]
    there = states.gather(1, parents.expand(-1, -1, states.shape[2]))
    seen = batch.seen.gather(1, parents.expand(-1, -1, batch.seen.shape[2]))
    return decoder.shoots(latent, states[:, :-1], there, seen, batch.rank[:, 1:])


def sketch_of(shoots, batch, scale):
    """Sketches of the batch's trees with these shoots, [B, M - 1, 2], in the place of their own."""
    shoots = functional.pad(shoots * scale[1] + scale[0], (0, 0, 1, 0))
    lengths = shoots[:, :, 0].clamp(max=0).exp()
    nodes = placed(lengths, shoots[:, :, 1], batch.ancestry)
    return sketched(nodes, batch.parents, batch.real)


def train(trees, scale):
    encoder, decoder, critic = Encoder(), Decoder(), Critic()
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.05)
    judge = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.9))
    feed = batches(trees, BATCH, np.random.default_rng(SEED))
    for step in range(STEPS):
        batch = next(feed)
        loss, mixture, told = sequence_loss(encoder, decoder, batch, scale)
        if CRITIC and step % CRITIC_EVERY == 0:
            few = batch[:CRITIC_TREES]
            own = (few.shoots[:, 1:] - scale[0]) / scale[1]
            real = sketch_of(own, few, scale)
            fake = sketch_of(drawn([part[:CRITIC_TREES] for part in mixture]), few, scale)
            doubt = functional.softplus(-critic(real)) + functional.softplus(critic(fake.detach()))
            judge.zero_grad()
            doubt.mean().backward()
            judge.step()
            if step > STEPS // 5:
                loss = loss + CRITIC * functional.softplus(-critic(fake)).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 5.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            nats, divergence = told
            print(f"step {step}: {nats:.2f} nats a tree, divergence {divergence:.1f}", flush=True)
    return encoder.eval(), decoder.eval()


def grown(decoder, clumps, scale, wanted):
    """So many new trees, as arrays. A few latents in a hundred lead to trees that never end."""
    rounds, found = [], 0
    while found < wanted:
        latents, _ = clumps.sample(wanted)
        mixed = torch.tensor(latents, dtype=torch.float32)[torch.randperm(wanted)]
        rounds.append(decoded(decoder, mixed, scale))
        found += len(rounds[-1]["counts"])
    names = rounds[0]
    return {name: np.concatenate([part[name] for part in rounds])[:wanted] for name in names}


def main():
    torch.manual_seed(SEED)
    file = np.load("data/train.npz")
    arrays = file["nodes"], file["parents"], file["counts"]
    behind = mirrored(*arrays)
    trees = read(*(np.concatenate(pair) for pair in zip(arrays, behind, strict=True)))
    known = trees.shoots[:, 1:][trees.real[:, 1:]]
    scale = known.mean(0), known.std(0)

    encoder, decoder = train(trees, scale)
    with torch.no_grad():
        encoded = []
        for start in range(0, len(trees), 500):
            mean, spread = encoder(trees[start : start + 500])
            encoded.append(mean + torch.exp(spread / 2) * torch.randn_like(mean))
        clumps = GaussianMixture(
            COMPONENTS, reg_covar=1e-3, random_state=np.random.RandomState(SEED)
        )
        clumps.fit(torch.cat(encoded).double().numpy())
        wanted = len(np.load("data/sample_submission.npz")["counts"])
        samples = grown(decoder, clumps, scale, wanted)
    np.savez_compressed("samples.npz", **samples)
    print(f"wrote {wanted} trees to samples.npz")


if __name__ == "__main__":
    main()
