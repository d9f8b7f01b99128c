"""What a user would write by hand to train ResNet-18 on a train/val/test image folder: the baseline to beat.

The course's recipe in plain torchvision code: fp32, ImageFolder, DataLoader, Adam, no tuning for speed.
Prints one JSON line per epoch (train_images_per_second, val and test accuracy) and writes OUT.json and OUT.pth.

    python by_hand.py --data DIR --out OUT [--epochs 20] [--lr 0.001]
                      [--weights resnet18_imagenet.pth --freeze conv1,bn1,layer1,layer2]
"""

import argparse
import json
import time
from pathlib import Path

import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--size", type=int, default=224)
parser.add_argument("--weights")
parser.add_argument("--freeze", default="")
parser.add_argument("--limit", type=int, help="train on this many images only")
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

torch.manual_seed(args.seed)
normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
train_transform = transforms.Compose(
    [transforms.RandomResizedCrop(args.size), transforms.RandomHorizontalFlip(), transforms.ToTensor(), normalize]
)
eval_transform = transforms.Compose(
    [transforms.Resize(args.size * 256 // 224), transforms.CenterCrop(args.size), transforms.ToTensor(), normalize]
)
train_set = datasets.ImageFolder(f"{args.data}/train", train_transform)
if args.limit:
    chosen = torch.randperm(len(train_set), generator=torch.Generator().manual_seed(0))[: args.limit]
    train_set = Subset(train_set, chosen.tolist())
train_loader = DataLoader(train_set, args.batch_size, shuffle=True, num_workers=2, persistent_workers=True)
val_loader = DataLoader(datasets.ImageFolder(f"{args.data}/val", eval_transform), args.batch_size)
test_loader = DataLoader(datasets.ImageFolder(f"{args.data}/test", eval_transform), args.batch_size, num_workers=2)

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
model = torchvision.models.resnet18(num_classes=1000)
if args.weights:
    model.load_state_dict(torch.load(args.weights, weights_only=True))
model.fc = nn.Linear(512, 2)
for name in filter(None, args.freeze.split(",")):
    getattr(model, name).requires_grad_(False)
model.to(device)
optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=args.lr)
criterion = nn.CrossEntropyLoss()


def accuracy(loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in loader:
            right += (model(images.to(device)).argmax(1).cpu() == labels).sum().item()
            total += len(labels)
    return right / total


history = []
for epoch in range(args.epochs):
    model.train()
    started, seen, loss_sum = time.perf_counter(), 0, 0.0
    for images, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(images.to(device)), labels.to(device))
        loss.backward()
        optimizer.step()
        seen += len(labels)
        loss_sum += loss.item() * len(labels)
    seconds = time.perf_counter() - started
    row = {"epoch": epoch, "train_loss": loss_sum / seen, "train_images_per_second": seen / seconds}
    row |= {"val_accuracy": accuracy(val_loader), "test_accuracy": accuracy(test_loader)}
    history.append(row)
    print(json.dumps(row), flush=True)
torch.save(model.state_dict(), f"{args.out}.pth")
Path(f"{args.out}.json").write_text(json.dumps(history, indent=1))
