#!/usr/bin/env bash
# Sampling videos from actions (van den Oord et al. 2017, section 4.4): record mazes or ViZDoom, train a VQ-VAE from 84x84 frames
# to 21x21x1 codes and a prior over the next frame's codes given the last six frames and the action, sample, evaluate, report.
#
#   bash recipes/video/run.sh [--world maze|doom] [--exp exp/video] [--data data/WORLD] [--episodes N] [--length N]
#        [--schedule full|brief] [--device cpu|cuda] [--stage N] [--stop-stage N]
#
# The full schedule takes 87 minutes of one core. The brief one takes a minute and checks the recipe:
# --schedule brief --episodes 22 --length 12. --length: frames per episode. Doom needs the extra `doom`. Finished steps are not
# repeated.
cd "$(dirname "$0")/../.."
. recipes/common.sh
world=maze exp="" data="" episodes=400 length=100 schedule=full device=""
parse_flags "world=world exp=exp data=data episodes=episodes length=length schedule=schedule device=device" "$@"
extra="" vqvae=() prior=() measured=() ahead=50 shown="forward right left strafe-left"
case "$world" in
maze) exp=${exp:-exp/video} ;;
doom) exp=${exp:-exp/video_doom} extra=doom ;;
*) echo "--world $world: give maze or doom" >&2; exit 2 ;;
esac
data=${data:-data/$world}
case "$schedule" in
full) ;;
brief)
    ahead=4 shown=right
    brief=(train.steps=6 train.warmup=2 train.evaluate_every=6 train.num_eval_items=4)
    for word in model.autoencoder.channels=8 "${brief[@]}"; do vqvae+=(--set "$word"); done
    small=(model.channels=8 model.blocks=2 model.pixelcnn.channels=8 model.pixelcnn.hidden_channels=16)
    small+=(model.motion.channels=8 model.motion.blocks=1 model.motion.steps=6)
    for word in "${small[@]}" "${brief[@]}"; do prior+=(--set "$word"); done
    measured=(--windows 8 --rollouts 2 --probe-steps 4)
    ;;
*) echo "--schedule $schedule: give full or brief" >&2; exit 2 ;;
esac
on=(${device:+--device "$device"})

setup "$extra"
mkdir -p "$exp"

if stage 1 "walk through the $world, and take every fifth frame for the first model"; then
    python -m speechvq.prepare "$world" --out "$data" --episodes "$episodes" --frames "$length"
    python -m speechvq.prepare frames --root "$data" --out "$data/frames"
fi

if stage 2 "train the VQ-VAE of frames"; then
    python -m speechvq.train --config video_vqvae --out "$exp/vqvae" "${on[@]}" "${vqvae[@]}" \
        --set data.root="$data/frames"
fi

if stage 3 "teach the prior, and beside it one without actions and one without a past"; then
    taught=(--set data.model="$exp/vqvae" --set data.root="$data" "${on[@]}" "${prior[@]}")
    python -m speechvq.train --config video_prior --out "$exp/prior" "${taught[@]}"
    python -m speechvq.train --config video_prior --out "$exp/no_action" "${taught[@]}" \
        --set model.actions=false
    python -m speechvq.train --config video_prior --out "$exp/no_past" "${taught[@]}" \
        --set model.actions=false --set model.context_frames=0 --set model.motion.depth_features=0
fi

if stage 4 "measure"; then
    python -m speechvq.evaluate rollout --prior "$exp/prior" --against "$exp/no_action" --against "$exp/no_past" \
        --frames "$ahead" "${measured[@]}" "${on[@]}" --json "$exp/rollout.json" | tee "$exp/rollout.txt"
fi

if stage 5 "imagine: all forward, all right, what was really done, and what comes by itself"; then
    for action in $shown; do
        python -m speechvq.imagine --prior "$exp/prior" --start 0 --actions "$action*10" --out "$exp/$action" "${on[@]}"
    done
    python -m speechvq.imagine --prior "$exp/prior" --start 20 --frames "$ahead" --out "$exp/as_done" "${on[@]}"
    python -m speechvq.imagine --prior "$exp/no_action" --start 0 --frames "$ahead" --out "$exp/by_itself" "${on[@]}"
fi

if stage 6 "report"; then
    shows=()
    for action in $shown as_done by_itself; do shows+=(--imagined "$exp/$action"); done
    python -m speechvq.report --run "$exp/prior" --rollout "$exp/rollout.json" "${shows[@]}"
fi
